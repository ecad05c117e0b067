// The API's methods: which there are, who may call them, and what the small ones answer.

import { seconds } from "./clock.mjs";
import { Rpc } from "./errors.mjs";
import * as login from "./login.mjs";
import { getPassword } from "./password.mjs";
import { user } from "./state.mjs";

/** The layers whose objects are those of api.tl. */
const LAYERS = [229, 230];

const getConfig = (state, { key }) => ({
  _: "config",
  date: seconds(),
  expires: seconds() + 3600,
  test_mode: false,
  this_dc: key.dc.id,
  dc_options: [...state.dcs.values()].map(({ id, port }) => ({ _: "dcOption", static: true, id, ip_address: "127.0.0.1", port })),
  dc_txt_domain_name: "",
  chat_size_max: 200,
  megagroup_size_max: 200_000,
  forwarded_count_max: 100,
  online_update_period_ms: 210_000,
  offline_blur_timeout_ms: 5_000,
  offline_idle_timeout_ms: 30_000,
  online_cloud_timeout_ms: 300_000,
  notify_cloud_delay_ms: 30_000,
  notify_default_delay_ms: 1_500,
  push_chat_period_ms: 60_000,
  push_chat_limit: 2,
  edit_time_limit: 172_800,
  revoke_time_limit: 2_147_483_647,
  revoke_pm_time_limit: 2_147_483_647,
  rating_e_decay: 2_419_200,
  stickers_recent_limit: 200,
  channels_read_media_period: 604_800,
  call_receive_timeout_ms: 20_000,
  call_ring_timeout_ms: 90_000,
  call_connect_timeout_ms: 30_000,
  call_packet_timeout_ms: 10_000,
  me_url_prefix: "https://t.me/",
  caption_length_max: 1_024,
  message_length_max: 4_096,
  webfile_dc_id: key.dc.id,
});

/** The account itself; there is nobody else. */
function one(state, { key }, input) {
  const account = state.holder(key);
  const self = input._ === "inputUserSelf" || input.user_id === BigInt(account.id);
  if (!self) throw new Rpc(400, "USER_ID_INVALID");
  return user(account);
}

function getFullUser(state, context, { id }) {
  const found = one(state, context, id);
  const full_user = {
    _: "userFull",
    id: found.id,
    settings: { _: "peerSettings" },
    notify_settings: { _: "peerNotifySettings" },
    common_chats_count: 0,
  };
  return { _: "users.userFull", full_user, chats: [], users: [found] };
}

function getState(state, { key }) {
  state.holder(key);
  return { _: "updates.state", pts: 1, qts: 0, date: seconds(), seq: 1, unread_count: 0 };
}

function getDifference(state, { key }) {
  state.holder(key);
  return { _: "updates.differenceEmpty", date: seconds(), seq: 1 };
}

const methods = {
  "help.getConfig": getConfig,
  "help.getNearestDc": (state, { key }) => ({ _: "nearestDc", country: "DE", this_dc: key.dc.id, nearest_dc: [...state.dcs.keys()][0] }),
  "auth.exportLoginToken": login.exportLoginToken,
  "auth.importLoginToken": login.importLoginToken,
  "auth.acceptLoginToken": login.acceptLoginToken,
  "auth.sendCode": login.sendCode,
  "auth.resendCode": login.resendCode,
  "auth.cancelCode": login.cancelCode,
  "auth.signIn": login.signIn,
  "auth.checkPassword": login.withPassword,
  "auth.logOut": login.logOut,
  "account.getPassword": getPassword,
  "account.getAuthorizations": login.getAuthorizations,
  "account.resetAuthorization": login.resetAuthorization,
  "users.getUsers": (state, context, { id }) => id.map((input) => one(state, context, input)),
  "users.getFullUser": getFullUser,
  "updates.getState": getState,
  "updates.getDifference": getDifference,
};

export const isKnown = (name) => Object.hasOwn(methods, name);

/** Takes a request out of what it is wrapped in, and keeps what the wrapping says. */
export function unwrap(context, request) {
  const { key } = context;
  let subscribed = true;
  let layer;
  let inner = request;
  for (; inner.query; inner = inner.query) {
    if (inner._ === "invokeWithLayer") layer = inner.layer;
    else if (inner._ === "invokeWithoutUpdates") subscribed = false;
    else if (inner._ === "initConnection") {
      if (!LAYERS.includes(layer)) throw new Rpc(400, "CONNECTION_LAYER_INVALID");
      const { api_id, device_model, system_version, app_version, system_lang_code, lang_pack, lang_code } = inner;
      key.init = { layer, api_id, device_model, system_version, app_version, system_lang_code, lang_pack, lang_code };
      context.init = key.init;
    }
  }
  if (subscribed) context.subscribed = true;
  return inner;
}

/** The answer to a request. Ends with `Rpc` where it is an error. */
export function answer(state, context, request) {
  const { key } = context;
  state.failing(key.dc, request._);
  if (!key.init) throw new Rpc(400, "CONNECTION_NOT_INITED");
  return methods[request._](state, context, request);
}
