//! Which addresses may be connected to: the public internet, and what the operator adds.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Networks of IPv4 that are not the public internet, or lead to a machine's own metadata.
const REFUSED_V4: &[([u8; 4], u8)] = &[
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10), // carrier-grade NAT, and Alibaba's metadata service
    ([127, 0, 0, 0], 8),
    ([168, 63, 129, 16], 32), // Azure's wire server: metadata at a public address
    ([169, 254, 0, 0], 16),   // link-local, and most clouds' metadata service
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24), // 6to4 relays
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];

/// Networks inside IPv6's global unicast space (2000::/3) that lead elsewhere than they say.
/// Everything outside that space is refused anyway: loopback, mapped and NAT64 forms, ULA, link-local, multicast.
const REFUSED_V6: &[([u16; 8], u8)] = &[
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),     // Teredo, ORCHID, benchmarking
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), // documentation
    ([0x2002, 0, 0, 0, 0, 0, 0, 0], 16),     // 6to4
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),     // documentation
];

/// The rule for outgoing connections.
#[derive(Debug)]
pub struct Policy {
    allow: Vec<IpNet>,
    refused_v4: Vec<Ipv4Net>,
    refused_v6: Vec<Ipv6Net>,
}

impl Policy {
    /// The public internet and these networks besides.
    pub fn new(allow: Vec<IpNet>) -> Self {
        let v4 = |(octets, bits): &([u8; 4], u8)| Ipv4Net::new_assert(Ipv4Addr::from(*octets), *bits);
        let v6 = |(groups, bits): &([u16; 8], u8)| Ipv6Net::new_assert(Ipv6Addr::from(*groups), *bits);
        Self {
            allow,
            refused_v4: REFUSED_V4.iter().map(v4).collect(),
            refused_v6: REFUSED_V6.iter().map(v6).collect(),
        }
    }

    /// Whether this address may be connected to.
    pub fn permits(&self, address: IpAddr) -> bool {
        // A mapped address reaches the IPv4 host it contains, so it is judged as that host.
        let address = address.to_canonical();
        if self.allow.iter().any(|net| net.contains(&address)) {
            return true;
        }
        match address {
            IpAddr::V4(v4) => !self.refused_v4.iter().any(|net| net.contains(&v4)),
            IpAddr::V6(v6) => {
                let global_unicast = v6.segments()[0] & 0xe000 == 0x2000;
                global_unicast && !self.refused_v6.iter().any(|net| net.contains(&v6))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_internet_is_open() {
        let policy = Policy::new(vec![]);
        for public in ["1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::1"] {
            assert!(policy.permits(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn private_and_disguised_addresses_are_refused() {
        let policy = Policy::new(vec![]);
        for private in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.9.9.9",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::7f00:1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "100::1",
            "5f00::1",
        ] {
            assert!(!policy.permits(private.parse().unwrap()), "{private}");
        }
    }

    #[test]
    fn an_allowed_network_opens_itself_and_nothing_else() {
        let policy = Policy::new(vec!["127.0.0.0/8".parse().unwrap(), "fd00:1::/32".parse().unwrap()]);
        for allowed in ["127.0.0.1", "::ffff:127.0.0.1", "fd00:1::5"] {
            assert!(policy.permits(allowed.parse().unwrap()), "{allowed}");
        }
        for refused in ["10.0.0.1", "::1", "fd00:2::5"] {
            assert!(!policy.permits(refused.parse().unwrap()), "{refused}");
        }
    }
}
