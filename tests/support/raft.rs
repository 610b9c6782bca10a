//! Three OpenBao nodes with raft storage, and a load balancer in front of them that leaves out what is down: the
//! cluster that a leader can be taken away from.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::openbao::{binary, call, free_port, guarded, scratch};
use super::relay::{Towards, relay};
use super::{Server, eventually, eventually_within, holds_within};

/// How long the parts of a start may take: on a busy machine an election alone takes seconds.
const START: Duration = Duration::from_secs(90);

/// A running cluster; dropping it ends it.
pub struct Cluster {
    /// As seen through the load balancer.
    pub server: Server,
    nodes: Vec<Node>,
    unseal_key: String,
    root_token: String,
    _dir: TempDir,
}

struct Node {
    binary: PathBuf,
    name: String,
    port: u16,
    config: PathBuf,
    process: Mutex<Option<(Child, PathBuf)>>,
    /// What a load balancer's health check would say.
    ready: Arc<AtomicBool>,
}

impl Cluster {
    /// Starts it, and waits until it has a leader and three voters.
    pub fn start() -> Self {
        Self::of(&binary())
    }

    /// The one that tests share which leave its nodes alone. It ends with the last test that holds it.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let cluster = Arc::new(Self::start());
            *shared = Arc::downgrade(&cluster);
            cluster
        })
    }

    /// The same of another program.
    pub fn of(binary: &Path) -> Self {
        let dir = tempfile::Builder::new().prefix("raft-").tempdir_in(scratch()).unwrap();
        let ports: Vec<(u16, u16)> = (0..3).map(|_| (free_port(), free_port())).collect();
        let node = |number: usize| {
            let (port, cluster_port) = ports[number];
            let (name, data) = (format!("node{number}"), dir.path().join(format!("data{number}")));
            fs::create_dir_all(&data).unwrap();
            let join: String = (0..3)
                .filter(|other| *other != number)
                .map(|other| {
                    format!("  retry_join {{ leader_api_addr = \"http://127.0.0.1:{}\" }}\n", ports[other].0)
                })
                .collect();
            let text = format!(
                "storage \"raft\" {{\n  path = \"{}\"\n  node_id = \"{name}\"\n{join}}}\n\
                 listener \"tcp\" {{\n  address = \"127.0.0.1:{port}\"\n  cluster_address = \"127.0.0.1:{cluster_port}\"\n  \
                 tls_disable = true\n}}\napi_addr = \"http://127.0.0.1:{port}\"\n\
                 cluster_addr = \"https://127.0.0.1:{cluster_port}\"\ndisable_mlock = true\n",
                data.display()
            );
            let config = dir.path().join(format!("{name}.hcl"));
            fs::write(&config, text).unwrap();
            let binary = binary.to_owned();
            Node { binary, name, port, config, process: Mutex::default(), ready: Arc::default() }
        };
        let nodes: Vec<Node> = (0..3).map(node).collect();
        nodes.iter().for_each(Node::launch);
        let first = nodes[0].port;
        let init =
            call(first, "", "PUT", "sys/init", &json!({"secret_shares": 1, "secret_threshold": 1})).unwrap();
        assert_eq!(init.status, 200, "{}", init.body);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (unseal_key, root_token) = (text(&init.body["keys"][0]), text(&init.body["root_token"]));
        let known: Vec<_> = nodes.iter().map(|node| (node.port, Arc::clone(&node.ready))).collect();
        let turn = AtomicUsize::new(0);
        let in_turn = {
            let known = known.clone();
            move || {
                let first = turn.fetch_add(1, Ordering::SeqCst);
                let order = (0..3).map(|step| &known[(first + step) % 3]);
                order.filter(|(_, ready)| ready.load(Ordering::SeqCst)).map(|(port, _)| *port).collect()
            }
        };
        // An administrator's writes are not seen on a standby at once: they go to the leader.
        let leader = move || leader(&known).into_iter().collect();
        let server = Server::elsewhere(balance(in_turn), balance(leader), &root_token, dir.path().to_owned());
        let cluster = Self { server, nodes, unseal_key, root_token, _dir: dir };
        cluster.nodes.iter().for_each(|node| cluster.unseal(node));
        eventually_within(START, "the cluster has three voters", || cluster.voters() == 3);
        cluster
    }

    /// Ends the leader without a warning, and leaves it down. Returns its name.
    pub fn kill_leader(&self) -> String {
        let leader = self.leader().expect("there is a leader");
        leader.end(Signal::KILL);
        leader.name.clone()
    }

    /// Stops each node in turn, as an upgrade does, and starts it again.
    pub fn restart_all(&self) {
        for node in &self.nodes {
            node.end(Signal::TERM);
            node.launch();
            self.unseal(node);
            eventually("the restarted node follows a leader", || {
                self.leader().is_some() && self.voters() == 3
            });
            // An upgrade takes its time for each node.
            thread::sleep(Duration::from_secs(3));
        }
    }

    /// The ports of all nodes.
    pub fn ports(&self) -> impl Iterator<Item = u16> {
        self.nodes.iter().map(|node| node.port)
    }

    /// The ports of the nodes that do not lead.
    pub fn standbys(&self) -> Vec<u16> {
        let leader = self.leader().expect("there is a leader").port;
        self.ports().filter(|port| *port != leader).collect()
    }

    /// The address of a node that does not lead, for VAULT_ADDR.
    pub fn standby(&self) -> String {
        format!("http://127.0.0.1:{}", self.standbys()[0])
    }

    /// The address of a way to these nodes, each connection to the next one, that counts requests.
    pub fn counted(ports: Vec<u16>) -> (String, Arc<AtomicUsize>) {
        let (count, turn) = (Arc::<AtomicUsize>::default(), AtomicUsize::new(0));
        let choose = move || {
            let first = turn.fetch_add(1, Ordering::SeqCst);
            (0..ports.len()).map(|step| ports[(first + step) % ports.len()]).collect()
        };
        let port = balance_counted(choose, Arc::clone(&count));
        (format!("http://127.0.0.1:{port}"), count)
    }

    /// Waits until every node has what an administrator wrote: `sees` is asked of each.
    pub fn each_sees(&self, what: &str, sees: impl Fn(u16) -> bool) {
        eventually(what, || self.ports().all(&sees));
    }

    /// Waits until an administrator can work again.
    pub fn settle(&self) {
        eventually("there is a leader", || {
            self.leader().is_some_and(|leader| {
                call(leader.port, &self.root_token, "GET", "sys/leader", &Value::Null)
                    .is_ok_and(|r| r.status == 200)
            })
        });
        eventually("every node that is up finds it", || {
            let up = self.nodes.iter().filter(|node| node.ready.load(Ordering::SeqCst));
            up.into_iter().all(|node| {
                call(node.port, &self.root_token, "GET", "sys/mounts", &Value::Null)
                    .is_ok_and(|r| r.status == 200)
            })
        });
    }

    fn unseal(&self, node: &Node) {
        let takes_the_key = holds_within(START, || {
            let reply = call(node.port, "", "PUT", "sys/unseal", &json!({"key": self.unseal_key}));
            reply.is_ok_and(|reply| reply.status == 200)
        });
        assert!(takes_the_key, "{} does not take the unseal key:\n{}", node.name, node.log());
        let is_unsealed = holds_within(START, || {
            call(node.port, "", "GET", "sys/health?standbyok=true", &Value::Null)
                .is_ok_and(|r| r.status == 200)
        });
        assert!(is_unsealed, "{} has the unseal key and stays sealed:\n{}", node.name, node.log());
        node.ready.store(true, Ordering::SeqCst);
    }

    fn leader(&self) -> Option<&Node> {
        let known: Vec<_> = self.nodes.iter().map(|node| (node.port, Arc::clone(&node.ready))).collect();
        let port = leader(&known)?;
        self.nodes.iter().find(|node| node.port == port)
    }

    fn voters(&self) -> usize {
        let Some(leader) = self.leader() else { return 0 };
        let reply =
            call(leader.port, &self.root_token, "GET", "sys/storage/raft/configuration", &Value::Null);
        let servers =
            reply.ok().and_then(|reply| reply.body["data"]["config"]["servers"].as_array().cloned());
        servers.unwrap_or_default().iter().filter(|server| server["voter"] == true).count()
    }
}

impl Node {
    fn launch(&self) {
        let log = tempfile::Builder::new().prefix("raft-log-").tempdir_in(scratch()).unwrap().keep();
        let mut command = guarded(&log, &self.binary);
        let child = command.arg("server").arg(format!("-config={}", self.config.display())).spawn().unwrap();
        *self.process.lock().unwrap() = Some((child, log));
        eventually("the node listens", || TcpStream::connect(("127.0.0.1", self.port)).is_ok());
    }

    /// What it has written.
    fn log(&self) -> String {
        let process = self.process.lock().unwrap();
        let log = process.as_ref().map(|(_, folder)| fs::read_to_string(folder.join("log")));
        log.and_then(Result::ok).unwrap_or_default()
    }

    /// Ends the node by this signal, and waits until it is gone.
    fn end(&self, signal: Signal) {
        self.ready.store(false, Ordering::SeqCst);
        let Some((mut child, log)) = self.process.lock().unwrap().take() else { return };
        // The node alone: its shell waits for it, and so do we; the files' lock is free again only then.
        let pid = fs::read_to_string(log.join("pid")).ok().and_then(|pid| pid.trim().parse().ok());
        kill_process(pid.and_then(Pid::from_raw).unwrap(), signal).unwrap();
        let stdin = child.stdin.take();
        let _ = child.wait();
        drop(stdin);
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.nodes.iter().for_each(|node| node.end(Signal::KILL));
    }
}

fn leader(nodes: &[(u16, Arc<AtomicBool>)]) -> Option<u16> {
    let up = nodes.iter().filter(|(_, ready)| ready.load(Ordering::SeqCst)).map(|(port, _)| *port);
    up.into_iter().find(|port| {
        call(*port, "", "GET", "sys/health", &Value::Null)
            .is_ok_and(|reply| reply.status == 200 && reply.body["standby"] == false)
    })
}

/// A load balancer for connections, as simple as they come: to the first of `choose` that is there.
fn balance(choose: impl Fn() -> Vec<u16> + Send + Sync + 'static) -> u16 {
    relay(choose, |_, _| {})
}

/// The same, which counts the requests. A request's head comes in one piece: it is short.
fn balance_counted(choose: impl Fn() -> Vec<u16> + Send + Sync + 'static, count: Arc<AtomicUsize>) -> u16 {
    relay(choose, move |towards, bytes| {
        if towards == Towards::Server {
            let heads = bytes.windows(11).filter(|part| *part == b" HTTP/1.1\r\n").count();
            count.fetch_add(heads, Ordering::SeqCst);
        }
    })
}
