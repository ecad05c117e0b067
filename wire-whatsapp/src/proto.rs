//! The protocol's messages, with the fields that linking and logging in use. Fields of others are skipped when read.

use prost::Message;

#[derive(Clone, PartialEq, Message)]
pub struct Handshake {
    #[prost(message, optional, tag = "2")]
    pub client_hello: Option<ClientHello>,
    #[prost(message, optional, tag = "3")]
    pub server_hello: Option<ServerHello>,
    #[prost(message, optional, tag = "4")]
    pub client_finish: Option<ClientFinish>,
}

#[derive(Clone, PartialEq, Message)]
pub struct ClientHello {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub ephemeral: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub fixed: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub payload: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub struct ServerHello {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub ephemeral: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub fixed: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub payload: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub struct ClientFinish {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub fixed: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub payload: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub struct CertificateChain {
    #[prost(message, optional, tag = "1")]
    pub leaf: Option<Certificate>,
    #[prost(message, optional, tag = "2")]
    pub intermediate: Option<Certificate>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Certificate {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub details: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub signature: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub struct CertificateDetails {
    #[prost(uint32, optional, tag = "1")]
    pub serial: Option<u32>,
    #[prost(uint32, optional, tag = "2")]
    pub issuer_serial: Option<u32>,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub key: Option<Vec<u8>>,
    #[prost(uint64, optional, tag = "4")]
    pub not_before: Option<u64>,
    #[prost(uint64, optional, tag = "5")]
    pub not_after: Option<u64>,
}

#[derive(Clone, PartialEq, Message)]
pub struct ClientPayload {
    #[prost(uint64, optional, tag = "1")]
    pub username: Option<u64>,
    #[prost(bool, optional, tag = "3")]
    pub passive: Option<bool>,
    #[prost(message, optional, tag = "5")]
    pub user_agent: Option<UserAgent>,
    #[prost(message, optional, tag = "6")]
    pub web_info: Option<WebInfo>,
    #[prost(string, optional, tag = "7")]
    pub push_name: Option<String>,
    #[prost(uint32, optional, tag = "12")]
    pub connect_type: Option<u32>,
    #[prost(uint32, optional, tag = "13")]
    pub connect_reason: Option<u32>,
    #[prost(uint32, optional, tag = "18")]
    pub device: Option<u32>,
    #[prost(message, optional, tag = "19")]
    pub device_pairing_data: Option<DevicePairingData>,
    #[prost(bool, optional, tag = "33")]
    pub pull: Option<bool>,
    #[prost(bool, optional, tag = "41")]
    pub lid_db_migrated: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
pub struct UserAgent {
    #[prost(uint32, optional, tag = "1")]
    pub platform: Option<u32>,
    #[prost(message, optional, tag = "2")]
    pub app_version: Option<AppVersion>,
    #[prost(string, optional, tag = "3")]
    pub mcc: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub mnc: Option<String>,
    #[prost(string, optional, tag = "5")]
    pub os_version: Option<String>,
    #[prost(string, optional, tag = "7")]
    pub device: Option<String>,
    #[prost(string, optional, tag = "8")]
    pub os_build_number: Option<String>,
    #[prost(uint32, optional, tag = "10")]
    pub release_channel: Option<u32>,
    #[prost(string, optional, tag = "11")]
    pub locale_language: Option<String>,
    #[prost(string, optional, tag = "12")]
    pub locale_country: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub struct AppVersion {
    #[prost(uint32, optional, tag = "1")]
    pub primary: Option<u32>,
    #[prost(uint32, optional, tag = "2")]
    pub secondary: Option<u32>,
    #[prost(uint32, optional, tag = "3")]
    pub tertiary: Option<u32>,
}

#[derive(Clone, PartialEq, Message)]
pub struct WebInfo {
    #[prost(uint32, optional, tag = "4")]
    pub web_sub_platform: Option<u32>,
}

#[derive(Clone, PartialEq, Message)]
pub struct DevicePairingData {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub registration_id: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub key_type: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub identity: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "4")]
    pub signed_key_id: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "5")]
    pub signed_key: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "6")]
    pub signed_key_signature: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "7")]
    pub build_hash: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "8")]
    pub device_props: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub struct DeviceProps {
    #[prost(string, optional, tag = "1")]
    pub os: Option<String>,
    #[prost(message, optional, tag = "2")]
    pub version: Option<AppVersion>,
    #[prost(uint32, optional, tag = "3")]
    pub platform_type: Option<u32>,
    #[prost(bool, optional, tag = "4")]
    pub require_full_sync: Option<bool>,
    #[prost(message, optional, tag = "5")]
    pub history_sync_config: Option<HistorySyncConfig>,
}

#[derive(Clone, PartialEq, Message)]
pub struct HistorySyncConfig {
    #[prost(uint32, optional, tag = "3")]
    pub storage_quota_mb: Option<u32>,
    #[prost(bool, optional, tag = "4")]
    pub inline_initial_payload: Option<bool>,
    #[prost(bool, optional, tag = "6")]
    pub call_log_history: Option<bool>,
    #[prost(bool, optional, tag = "7")]
    pub bot_user_agent_chat_history: Option<bool>,
    #[prost(bool, optional, tag = "8")]
    pub cag_reactions_and_polls: Option<bool>,
    #[prost(bool, optional, tag = "9")]
    pub biz_hosted_msg: Option<bool>,
    #[prost(bool, optional, tag = "10")]
    pub recent_sync_chunk_message_count_tuning: Option<bool>,
    #[prost(bool, optional, tag = "11")]
    pub hosted_group_msg: Option<bool>,
    #[prost(bool, optional, tag = "12")]
    pub fbid_bot_chat_history: Option<bool>,
    #[prost(bool, optional, tag = "14")]
    pub message_association: Option<bool>,
    #[prost(bool, optional, tag = "15")]
    pub group_history: Option<bool>,
}

/// What the phone says of the new device, sealed with the secret of the QR code.
#[derive(Clone, PartialEq, Message)]
pub struct SealedDeviceIdentity {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub details: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub hmac: Option<Vec<u8>>,
    #[prost(uint32, optional, tag = "3")]
    pub account_type: Option<u32>,
}

#[derive(Clone, PartialEq, Message)]
pub struct SignedDeviceIdentity {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub details: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub account_signature_key: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub account_signature: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "4")]
    pub device_signature: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub struct DeviceIdentity {
    #[prost(uint32, optional, tag = "1")]
    pub raw_id: Option<u32>,
    #[prost(uint64, optional, tag = "2")]
    pub timestamp: Option<u64>,
    #[prost(uint32, optional, tag = "3")]
    pub key_index: Option<u32>,
    #[prost(uint32, optional, tag = "5")]
    pub device_type: Option<u32>,
}

#[derive(Clone, PartialEq, Message)]
pub struct CompanionIdentity {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub public_key: Option<Vec<u8>>,
    #[prost(uint32, optional, tag = "2")]
    pub device_type: Option<u32>,
    #[prost(string, optional, tag = "3")]
    pub reference: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Prologue {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub companion_identity: Option<Vec<u8>>,
    #[prost(message, optional, tag = "2")]
    pub commitment: Option<Commitment>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Commitment {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub hash: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub struct PrimaryIdentity {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub public_key: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub nonce: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub struct PairingRequest {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub companion_public_key: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub companion_identity_key: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub adv_secret: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub struct EncryptedPairingRequest {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub encrypted_payload: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub iv: Option<Vec<u8>>,
}
