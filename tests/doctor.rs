//! `ci-creds doctor`: it names the true cause, its remedy works when it is applied word for word, and it judges a
//! role as the server does.

mod audit;
mod desk;
mod faults;
mod findings;
mod front;
mod job;
mod logins;
mod offline;
mod output;
mod pairs;
mod remedy;
mod signature;
mod world;
