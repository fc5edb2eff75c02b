//! What the copy of a frozen machine has for itself, brought about by a real agent in namespaces of its own.
#![allow(clippy::unwrap_used)]

mod host;

use caisson_agent::proto::failed::Code;
use caisson_agent::proto::{Address, Adopt, Awakening, Done, Network, reply, request};
use host::{Host, shell};
use std::path::Path;

/// A machine's /etc, /run and network for us alone. The clock is everybody's: no test here sets it.
fn start(network: &str) -> Host {
    let script = r#"
        set -e; mkdir "$1/etc" "$1/etc/ssh" "$1/run" "$1/dbus"; cp /etc/passwd /etc/group "$1/etc"
        echo old > "$1/dbus/machine-id"
        mkdir -p /var/lib/dbus; mount --bind "$1/dbus" /var/lib/dbus; mount --bind "$1/run" /run; mount --bind "$1/etc" /etc
        NETWORK
        exec "$2" --socket "$1/socket""#;
    Host::start_in(&["unshare", "--mount", "--net", "--uts", "sh", "-c", &script.replace("NETWORK", network), "sh"])
}

/// A device that carries packets to its other end, with an address of before.
const DEVICE: &str = "ip link add eth0 type veth peer name far; ip link set far up; ip address add 10.9.9.9/24 dev eth0; ip link set eth0 up";

fn network(last: u8) -> Network {
    let v6 = |last: u8| [&[0xfd][..], &[0; 14], &[last]].concat();
    Network {
        addresses: vec![Address { address: vec![10, 0, 0, last], prefix: 30 }, Address { address: v6(last), prefix: 126 }],
        gateways: vec![vec![10, 0, 0, 1], v6(1)],
    }
}

fn awakening(id: u8, network: Option<Network>) -> Awakening {
    Awakening { machine_id: vec![id; 16], boot_id: vec![id; 16], network }
}

fn adopt(awakening: Awakening) -> request::Of {
    request::Of::Adopt(Adopt { hostname: "copy".to_owned(), entropy: vec![7; 64], awakening: Some(awakening), ..Default::default() })
}

fn adopted(host: &mut Host, awakening: Awakening) {
    assert_eq!(host.ask(adopt(awakening)), reply::Of::Done(Done { changed: true }));
}

fn say(host: &mut Host, script: &str) -> String {
    let outcome = host.run(shell(script));
    String::from_utf8([outcome.stdout, outcome.stderr].concat()).unwrap().trim_end().to_owned()
}

const IDS: &str = "cat /etc/machine-id /var/lib/dbus/machine-id /proc/sys/kernel/random/boot_id; stat -c %a /etc/machine-id";
const LINK: &str = "ip -o link show eth0 | cut -d' ' -f1-3";

#[test]
fn has_ids_of_its_own_and_others_when_it_is_copied_again() {
    let mut host = start("");
    for _ in 0..2 {
        adopted(&mut host, awakening(0xab, None));
        let machine = "ab".repeat(16);
        assert_eq!(say(&mut host, IDS), format!("{machine}\n{machine}\nabababab-abab-abab-abab-abababababab\n444"));
    }
    let before = say(&mut host, "stat -c %i:%Z /etc/machine-id; grep -cE 'boot_id|etc/machine-id' /proc/self/mountinfo; hostname");
    adopted(&mut host, awakening(0xab, None));
    assert_eq!(say(&mut host, "stat -c %i:%Z /etc/machine-id; grep -cE 'boot_id|etc/machine-id' /proc/self/mountinfo; hostname"), before);
    assert!(before.ends_with("\n2\ncopy"), "{before}");
    adopted(&mut host, awakening(1, None));
    let machine = "01".repeat(16);
    assert_eq!(say(&mut host, IDS), format!("{machine}\n{machine}\n01010101-0101-0101-0101-010101010101\n444"));
    assert_eq!(say(&mut host, "umount /etc/machine-id; umount /proc/sys/kernel/random/boot_id; rm -r /etc/machine-id /run/caisson*; ln -s passwd /etc/machine-id"), "");
    adopted(&mut host, awakening(1, None));
    assert_eq!(say(&mut host, IDS), format!("{machine}\n{machine}\n01010101-0101-0101-0101-010101010101\n444"), "whatever became of them");
}

#[test]
fn what_ran_before_finds_the_variables_of_now() {
    let mut host = start("");
    let given = |variables: &[(&str, &str)]| {
        let env = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        request::Of::Adopt(Adopt { env, entropy: vec![7; 64], awakening: Some(awakening(1, None)), ..Default::default() })
    };
    let look = "tr '\\0' '|' < /run/caisson-environment; stat -c ' %a %u' /run/caisson-environment";
    let done = reply::Of::Done(Done { changed: true });
    assert_eq!(host.ask(given(&[("A", "one\ntwo"), ("B", "=")])), done);
    assert_eq!(say(&mut host, look), "A=one\ntwo|B==| 600 0");
    assert_eq!(host.ask(given(&[("B", "other")])), done);
    assert_eq!(say(&mut host, look), "B=other| 600 0");
    assert_eq!(host.ask(given(&[])), done);
    assert_eq!(say(&mut host, look), " 600 0", "none is an answer too");
    let named = Adopt { env: [("A".to_owned(), "x".to_owned())].into(), ..Default::default() };
    say(&mut host, "rm /run/caisson-environment");
    assert_eq!(host.ask(request::Of::Adopt(named)), done);
    assert_eq!(say(&mut host, "test ! -e /run/caisson-environment && echo none"), "none", "nothing ran before in what is no copy");
}

#[test]
fn ssh_host_keys_of_before_are_replaced_once() {
    if !Path::new("/usr/bin/ssh-keygen").exists() {
        eprintln!("skipped: this machine has no ssh-keygen");
        return;
    }
    let mut host = start("");
    let look = "cd /etc/ssh; ls; cat ssh_host_ed25519_key.pub";
    adopted(&mut host, awakening(1, None));
    assert_eq!(say(&mut host, "ls /etc/ssh"), "", "none where there were none");
    say(&mut host, "echo old > /etc/ssh/ssh_host_ed25519_key.pub; echo old > /etc/ssh/ssh_host_dsa_key");
    adopted(&mut host, awakening(1, None));
    assert!(say(&mut host, look).ends_with("old"), "the same machine keeps its keys");
    adopted(&mut host, awakening(2, None));
    let keys = say(&mut host, look);
    assert!(keys.contains("ssh_host_ed25519_key\n") && keys.contains("ssh-ed25519 ") && !keys.contains("dsa_key\nssh_host_ed"), "{keys}");
    adopted(&mut host, awakening(2, None));
    assert_eq!(say(&mut host, look), keys);
    adopted(&mut host, awakening(3, None));
    assert_ne!(say(&mut host, look), keys);
}

#[test]
fn has_exactly_the_network_that_it_is_given() {
    let mut host = start(DEVICE);
    let addresses = "ip -o address show dev eth0 | tr -s ' ' | cut -d' ' -f4; ip route; ip -6 route show default";
    adopted(&mut host, awakening(1, Some(network(2))));
    let seen = say(&mut host, addresses);
    let routes = "default via 10.0.0.1 dev eth0 proto static onlink \n10.0.0.0/30 dev eth0 proto kernel scope link src 10.0.0.2";
    assert!(seen.starts_with("10.0.0.2/30\nfd00::2/126\n"), "{seen}");
    assert!(seen.contains(routes) && seen.contains("default via fd00::1 dev eth0 proto static") && !seen.contains("10.9.9"), "{seen}");
    // Usable at once.
    assert_eq!(say(&mut host, "ip -6 address show dev eth0 tentative; ip route get 192.0.2.1 | head -n 1 | cut -d' ' -f1-5"), "192.0.2.1 via 10.0.0.1 dev eth0");
    // The other end hears of every time that it is brought down.
    let changes = "cat /sys/class/net/far/carrier_changes";
    let before = say(&mut host, &format!("mkdir /run/sys; mount -t sysfs sys /run/sys; {}", changes.replace("/sys", "/run/sys")));
    adopted(&mut host, awakening(1, Some(network(2))));
    assert_eq!(say(&mut host, &changes.replace("/sys", "/run/sys")), before, "the same changes nothing");
    adopted(&mut host, awakening(2, Some(network(2))));
    assert_ne!(say(&mut host, &changes.replace("/sys", "/run/sys")), before, "another machine knows none of its neighbours");
    assert!(say(&mut host, addresses).contains(routes));
    adopted(&mut host, awakening(1, Some(network(6))));
    let seen = say(&mut host, addresses);
    assert!(seen.starts_with("10.0.0.6/30\nfd00::6/126\n") && !seen.contains("0.0.2"), "{seen}");
    adopted(&mut host, awakening(1, Some(Network::default())));
    assert_eq!(say(&mut host, addresses), "");
    assert!(say(&mut host, LINK).contains("UP"));
}

#[test]
fn without_a_network_there_is_none_to_configure() {
    let mut host = start("");
    adopted(&mut host, awakening(1, Some(Network::default())));
    let (_, message) = host.ask_for_failure(adopt(awakening(1, Some(network(2)))));
    assert!(message.contains("eth0"), "{message}");
}

#[test]
fn who_cannot_have_it_is_not_adopted() {
    let mut host = start("");
    let short = Adopt { entropy: vec![7; 47], awakening: Some(awakening(1, None)), ..Default::default() };
    assert_eq!(host.ask_for_failure(request::Of::Adopt(short)).0, Code::Invalid);
    let wrong = Awakening { machine_id: vec![1; 15], ..awakening(1, None) };
    assert_eq!(host.ask_for_failure(adopt(wrong)).0, Code::Invalid);
    let wrong = Network { gateways: vec![vec![1; 3]], ..Default::default() };
    assert_eq!(host.ask_for_failure(adopt(awakening(1, Some(wrong)))).0, Code::Invalid);
    assert_eq!(say(&mut host, "cat /etc/machine-id 2>&1"), "cat: /etc/machine-id: No such file or directory");
    say(&mut host, "mkdir -p /etc/machine-id/full");
    let (_, message) = host.ask_for_failure(adopt(awakening(1, None)));
    assert!(message.contains("/etc/machine-id"), "{message}");
    host.reconnect();
    assert!(!host.hello.adopted);
}
