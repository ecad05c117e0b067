//! The tenants of Microsoft's identity platform: whose accounts may sign in, and how a tenant is written.

/// The tenant of all personal accounts.
pub const PERSONAL: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

/// Whose accounts may sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tenant {
    /// Everybody's.
    Common,
    /// Those of any organisation.
    Organizations,
    /// Personal ones.
    Consumers,
    /// Those of one organisation, by its id.
    Id(String),
    /// One organisation by one of its domains: where to ask, and nobody's to sign in.
    Domain(String),
}

impl Tenant {
    /// Reads it as settings write it; `None` when it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        Some(match &*text {
            "common" => Self::Common,
            "organizations" => Self::Organizations,
            "consumers" => Self::Consumers,
            id if is_guid(id) => Self::Id(text),
            domain if is_domain(domain) => Self::Domain(text),
            _ => return None,
        })
    }

    /// As it stands in addresses.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Common => "common",
            Self::Organizations => "organizations",
            Self::Consumers => "consumers",
            Self::Id(text) | Self::Domain(text) => text,
        }
    }

    /// Whether an account of this tenant, an id, may sign in. A domain's id is not known here.
    pub fn admits(&self, id: &str) -> bool {
        match self {
            Self::Common => true,
            Self::Organizations => !id.eq_ignore_ascii_case(PERSONAL),
            Self::Domain(_) => false,
            Self::Consumers => id.eq_ignore_ascii_case(PERSONAL),
            Self::Id(own) => id.eq_ignore_ascii_case(own),
        }
    }

    /// Whether it is one organisation.
    pub fn is_one(&self) -> bool {
        matches!(self, Self::Id(_) | Self::Domain(_))
    }
}

/// Whether it is written like an id: `9188040d-6c67-4c5b-b112-36a304b66dad`.
pub fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Whether it is written like a domain.
pub fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        let fine = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(fine)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.contains('.') && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "11111111-2222-3333-4444-555555555555";

    #[test]
    fn a_tenant_is_a_word_an_id_or_a_domain() {
        assert_eq!(Tenant::parse("Common"), Some(Tenant::Common));
        assert_eq!(Tenant::parse(ID), Some(Tenant::Id(ID.into())));
        assert_eq!(Tenant::parse("Contoso.example"), Some(Tenant::Domain("contoso.example".into())));
        for odd in ["", "organisations", "a/b.example", "..", "a..b", "-a.example", "common?x.y", "1.2.3.4/"]
        {
            assert_eq!(Tenant::parse(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_tenant_admits_its_own_accounts_only() {
        for (tenant, work, personal) in [
            ("common", true, true),
            ("organizations", true, false),
            ("consumers", false, true),
            (ID, true, false),
            ("contoso.example", false, false),
            ("99999999-2222-3333-4444-555555555555", false, false),
        ] {
            let tenant = Tenant::parse(tenant).unwrap();
            assert_eq!((tenant.admits(ID), tenant.admits(PERSONAL)), (work, personal), "{tenant:?}");
        }
    }
}
