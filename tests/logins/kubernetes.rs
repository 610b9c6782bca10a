//! Kubernetes: the real method in front of a fake of the cluster's TokenReview.

use serde_json::{Value, json};

use super::{Target, assert_issued, file};
use crate::support::{Cmd, Fake, Reply, Space, jwt, secret};

pub struct Setup<'a> {
    target: Target<'a>,
    mount: String,
    cluster: Fake,
}

impl<'a> Setup<'a> {
    pub fn new(space: &'a Space<'a>) -> Self {
        let cluster = Fake::new(|seen| {
            let review = seen.json();
            let known = review["spec"]["token"].as_str().is_some_and(|token| token.ends_with('x'));
            let user = json!({"username": "system:serviceaccount:ci:app-deployer", "uid": "u-1",
                "groups": ["system:serviceaccounts", "system:serviceaccounts:ci"]});
            let status = if known {
                json!({"authenticated": false, "error": "token is not this cluster's"})
            } else {
                json!({"authenticated": true, "user": user, "audiences": review["spec"]["audiences"]})
            };
            let answer =
                json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status});
            Reply::Json(201, answer)
        });
        let (target, mount) = (Target::new(space), space.auth("kubernetes"));
        let config = json!({"kubernetes_host": cluster.addr, "token_reviewer_jwt": secret(),
            "kubernetes_ca_cert": super::cert::ca("cluster").pem(), "disable_local_ca_jwt": true, "disable_iss_validation": true});
        space.write(&format!("auth/{mount}/config"), config);
        let setup = Self { target, mount, cluster };
        setup.role(json!({}));
        setup
    }

    fn role(&self, changes: Value) {
        let mut role = json!({"bound_service_account_names": "app-deployer",
            "bound_service_account_namespaces": "ci", "token_policies": self.target.policy});
        let changes = changes.as_object().unwrap().clone();
        role.as_object_mut().unwrap().extend(changes);
        self.target.space.write(&format!("auth/{}/role/app-deployer", self.mount), role);
    }

    pub fn cmd(&self) -> Cmd {
        let cmd = self.target.cmd().env("VAULT_AUTH_METHOD", "kubernetes");
        cmd.env("VAULT_AUTH_PATH", &self.mount).env("VAULT_AUTH_ROLE", "app-deployer")
    }
}

/// A projected service account token.
pub fn token(namespace: &str, name: &str) -> String {
    let account = json!({"namespace": namespace, "serviceaccount": {"name": name, "uid": "u-1"}});
    let mut claims = json!({"kubernetes.io": account, "iss": "https://kubernetes.default.svc",
        "sub": format!("system:serviceaccount:{namespace}:{name}"), "aud": ["https://kubernetes.default.svc"]});
    for gitlab in jwt::claims().as_object().unwrap().keys() {
        if !["exp", "iat", "nbf", "iss", "sub", "aud"].contains(&gitlab.as_str()) {
            claims[gitlab] = Value::Null;
        }
    }
    jwt::mint(claims)
}

#[test]
fn the_pods_token_logs_in() {
    let space = Space::new();
    let setup = Setup::new(&space);
    let (_dir, path) = file(&token("ci", "app-deployer"));
    assert_issued(setup.cmd().args(["--id-token-file".as_ref(), path.as_os_str()]).run_both());
    assert!(setup.cluster.seen()[0].line.ends_with("/tokenreviews"));
    // Never unasked: an ID token beside it changes nothing, and without the name it is not even looked for.
    let beside = setup.cmd().env("VAULT_ID_TOKEN", jwt::mint(json!({}))).env("CI_CREDS_ID_TOKEN_FILE", &path);
    assert_issued(beside.run_both());
}

#[test]
fn refusals_are_explained() {
    let space = Space::new();
    let setup = Setup::new(&space);
    let (_dir, path) = file(&token("ci", "app-deployer"));
    let cmd = setup.cmd().env("CI_CREDS_ID_TOKEN_FILE", &path);
    insta::assert_snapshot!(setup.cmd().run_both().expect(3), @r"
    exit code: 3
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 3) && false
    ----- stderr -----
    error: the token (/var/run/secrets/kubernetes.io/serviceaccount/token) can't be used: No such file or directory (os error 2)
    hint: is this a pod, and does it get its service account's token (automountServiceAccountToken)? --id-token-file names another file
    ");
    insta::assert_snapshot!(cmd.clone().no_env("VAULT_AUTH_ROLE").run_both().expect(3), @r"
    exit code: 3
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 3) && false
    ----- stderr -----
    error: the Kubernetes login needs a role, and none is set
    hint: set VAULT_AUTH_ROLE or --auth-role
    ");
    insta::assert_snapshot!(cmd.clone().env("VAULT_AUTH_ROLE", "nope").run_both().expect(4), @r#"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: Vault refused the Kubernetes login at auth/X-kubernetes, role nope
      caused by: invalid role name "nope"
    hint: there is no role nope at auth/X-kubernetes: check VAULT_AUTH_ROLE and VAULT_AUTH_PATH
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    "#);
    let (_other, elsewhere) = file(&token("prod", "app-deployer"));
    insta::assert_snapshot!(cmd.clone().env("CI_CREDS_ID_TOKEN_FILE", elsewhere).run_both().expect(4), @r"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: Vault refused the Kubernetes login at auth/X-kubernetes, role app-deployer
      caused by: namespace not authorized
    hint: run the pod in a namespace that the role allows; or the role's bound_service_account_namespaces must contain the namespace of this pod
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    ");
    let (_third, somebody) = file(&token("ci", "somebody"));
    insta::assert_snapshot!(cmd.clone().env("CI_CREDS_ID_TOKEN_FILE", somebody).run_both().expect(4), @r"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: Vault refused the Kubernetes login at auth/X-kubernetes, role app-deployer
      caused by: service account name not authorized
    hint: give the pod a service account that the role allows; or the role's bound_service_account_names must contain the service account of this pod
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    ");
    let (_fourth, foreign) = file(&format!("{}x", token("ci", "app-deployer")));
    insta::assert_snapshot!(cmd.clone().env("CI_CREDS_ID_TOKEN_FILE", foreign).run_both().expect(4), @r"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: Vault refused the Kubernetes login at auth/X-kubernetes, role app-deployer
      caused by: permission denied
    hint: Kubernetes did not vouch for the token (is it this cluster's, and current? May auth/X-kubernetes create tokenreviews?), or no Kubernetes method is mounted at auth/X-kubernetes: --auth-path or VAULT_AUTH_PATH
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    ");
    setup.role(json!({"audience": "vault"}));
    insta::assert_snapshot!(cmd.clone().run_both().expect(4), @r"
    exit code: 4
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 4) && false
    ----- stderr -----
    error: Vault refused the Kubernetes login at auth/X-kubernetes, role app-deployer
      caused by: invalid audience (aud) claim: audience claim does not match any expected audience
    hint: the role's audience must be one of the token's: name a projected token with --id-token-file
    hint: `ci-creds doctor exoscale ci` looks at each step of this run
    ");
    let empty = space.auth("kubernetes");
    space.write(
        &format!("auth/{empty}/role/app-deployer"),
        json!({"bound_service_account_names": "*",
        "bound_service_account_namespaces": "*"}),
    );
    insta::assert_snapshot!(cmd.env("VAULT_AUTH_PATH", empty).run_both().expect(5), @r"
    exit code: 5
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 5) && false
    ----- stderr -----
    error: Vault could not carry out the Kubernetes login at auth/X-kubernetes, role app-deployer
      caused by: could not load backend configuration
    hint: auth/X-kubernetes is not configured: it needs kubernetes_host, and a way to review tokens
    hint: retry the job; if it goes on, look at Vault's server log
    ");
}
