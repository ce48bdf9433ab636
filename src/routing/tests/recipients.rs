//! Recipients as clients write them: literals, prefixes, separators.

use super::*;

fn resolved(routing: &Routing, local: &str, domain: &str) -> String {
    match routing.resolve(&MailAddress::new(local, domain).unwrap(), NOW) {
        Ok(numbers) => numbers.iter().map(PhoneNumber::as_str).collect::<Vec<_>>().join(" "),
        Err(refusal) => refusal.to_string(),
    }
}

#[test]
fn our_address_literals_count_by_their_address() {
    let domains = ["[192.0.2.1]", "[IPv6:2001:DB8:0::1]"].map(str::to_owned).to_vec();
    let routing = Parts { domains, ..parts() }.build().unwrap();
    for ours in ["[192.0.2.1]", "[192.000.002.001]", "[IPv6:2001:db8::1]", "[ipv6:2001:0db8:0:0:0:0:0:1]"] {
        assert_eq!(resolved(&routing, ALARM, ours), ALARM, "{ours}");
    }
    for other in ["[192.0.2.2]", "192.0.2.1", "[IPv6:2001:db8::2]", "sms.local"] {
        let refusal = format!("`{ALARM}@{other}` is not served here; write number@[192.0.2.1]");
        assert_eq!(resolved(&routing, ALARM, other), refusal);
    }
}

#[test]
fn what_no_client_can_write_as_domain_is_a_fault() {
    for wrong in [
        "[192.0.2.256]",
        "[2001:db8::1]",
        "[sms.local]",
        "sms.local.",
        "sms..local",
        "sms local",
        "@sms.local",
    ] {
        let expected = format!(
            "`{wrong}` is not a domain; write it like \"sms.local\", \"[192.0.2.1]\" or \"[IPv6:2001:db8::1]\""
        );
        assert_eq!(faults(Parts { domains: vec![wrong.to_owned()], ..parts() }), [expected]);
    }
}

#[test]
fn numbers_as_devices_write_them_into_a_local_part() {
    let international = [
        "+393471234567",
        "+39-347-123-4567",
        "+39.347.1234567",
        "+39/347/1234567",
        // What stands in a quoted local part.
        "+39 347 123 4567",
        "+39 (347) 1234567",
        "p393471234567",
        "P39-347-1234567",
        "00393471234567",
        "0039-347-1234567",
        "393471234567",
    ];
    let national = ["3471234567", "347-1234567", "347.123.45.67", "347 123 4567"];
    let italy = DialPlan::national("39", None).unwrap();
    let plain = parts().build().unwrap();
    let completing = Parts { dial_plan: italy, ..parts() }.build().unwrap();
    for local in international {
        assert_eq!(resolved(&plain, local, "sms.local"), ALARM, "{local}");
        assert_eq!(resolved(&completing, local, "sms.local"), ALARM, "{local}");
    }
    for local in national {
        assert_eq!(resolved(&completing, local, "sms.local"), ALARM, "{local}");
        assert_ne!(resolved(&plain, local, "sms.local"), ALARM, "{local}");
    }
    for trick in [
        "+393471234567%x.it",
        "x.it!+393471234567",
        "+393471234567@x.it",
        "+393471234567,112",
        "++393471234567",
    ] {
        let refusal = resolved(&completing, trick, "sms.local");
        assert!(refusal.ends_with("is not a phone number, and there is no alias of that name"), "{refusal}");
    }
}
