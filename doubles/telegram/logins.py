"""Scenarios: logins of every kind, and their ends."""

import asyncio
import time

from telethon import errors, functions, password, types

from telegram import WITHIN, Expected, Refused, url


async def a_code_is_scanned(double):
    double.call("/accounts", {"phone": "491510000201", "first_name": "Grace", "last_name": "Hopper", "username": "grace"})
    client = await double.connected(device_model="Desk", app_version="7.1")
    me = await double.scanned(client, "491510000201")
    assert (me.first_name, me.last_name, me.username, me.phone) == ("Grace", "Hopper", "grace", "491510000201")
    assert me.is_self and me.id > 2**32
    assert (await client.get_me()).id == me.id
    full = await client(functions.users.GetFullUserRequest("me"))
    assert full.full_user.id == me.id and full.users[0].id == me.id
    devices = (await client(functions.account.GetAuthorizationsRequest())).authorizations
    assert [(one.device_model, one.app_version, one.api_id, one.current) for one in devices] == [("Desk", "7.1", double.api["id"], True)]
    await client.disconnect()


async def a_password_is_asked_for_after_the_scan(double):
    phone = "491510000203"
    double.call("/accounts", {"phone": phone, "password": "correct horse", "hint": "of the battery"})
    client = await double.connected()
    with Expected(errors.SessionPasswordNeededError):
        await double.scanned(client, phone)
    with Expected(errors.SessionPasswordNeededError):
        await client(functions.updates.GetStateRequest())
    assert (await client(functions.account.GetPasswordRequest())).hint == "of the battery"
    assert [one["password_pending"] for one in double.call(f"/sessions?phone={phone}")] == [True]
    with Expected(errors.PasswordHashInvalidError):
        await client.sign_in(password="wrong horse")
    assert (await client.sign_in(password="correct horse")).phone == phone
    await client.disconnect()


async def a_password_is_checked_once_with_what_was_asked_for_it(double):
    phone = "491510000204"
    double.call("/accounts", {"phone": phone, "password": "staple"})
    client = await double.connected()
    with Expected(errors.SessionPasswordNeededError):
        await double.scanned(client, phone)
    asked = await client(functions.account.GetPasswordRequest())
    wrong = functions.auth.CheckPasswordRequest(password.compute_check(asked, "paper"))
    with Expected(errors.PasswordHashInvalidError):
        await client(wrong)
    with Expected(errors.SrpIdInvalidError):
        await client(wrong)
    asked = await client(functions.account.GetPasswordRequest())
    check = password.compute_check(asked, "staple")
    check.A = (0).to_bytes(256, "big")
    with Expected(errors.BadRequestError, "SRP_A_INVALID"):
        await client(functions.auth.CheckPasswordRequest(check))
    await client.disconnect()


async def a_scan_by_an_account_of_another_data_centre_leads_there(double):
    double.call("/accounts", {"phone": "491510000205", "dc": 2})
    client = await double.connected()
    assert (await double.scanned(client, "491510000205")).phone == "491510000205"
    assert client.session.dc_id == 2
    assert [one["dc"] for one in double.call("/sessions?phone=491510000205")] == [2]
    await client.disconnect()


async def a_password_is_asked_for_at_the_other_data_centre(double):
    double.call("/accounts", {"phone": "491510000206", "dc": 3, "password": "hunter2"})
    client = await double.connected()
    with Expected(errors.SessionPasswordNeededError):
        await double.scanned(client, "491510000206")
    assert client.session.dc_id == 3
    assert (await client.sign_in(password="hunter2")).phone == "491510000206"
    await client.disconnect()


async def a_code_that_is_too_old_is_made_anew(double):
    double.call("/accounts", {"phone": "491510000207"})
    double.call("/settings", {"tokenMs": 1000})
    client = await double.connected()
    login = await client.qr_login()
    old = login.url
    await asyncio.sleep((login.expires.timestamp() - time.time()) + 0.05)
    with Expected(Refused, "AUTH_TOKEN_EXPIRED"):
        double.call("/scan", {"url": old, "phone": "491510000207"})
    double.call("/settings", {"tokenMs": 30000})
    await login.recreate()
    assert login.url != old
    waiting = asyncio.ensure_future(login.wait(WITHIN))
    await asyncio.sleep(0.05)
    double.call("/scan", {"url": login.url, "phone": "491510000207"})
    with Expected(Refused, "AUTH_TOKEN_ALREADY_ACCEPTED"):
        double.call("/scan", {"url": login.url, "phone": "491510000207"})
    with Expected(Refused, "AUTH_TOKEN_INVALIDX"):
        double.call("/scan", {"url": "tg://login?token=" + "A" * 43, "phone": "491510000207"})
    assert (await waiting).phone == "491510000207"
    await client.disconnect()


async def a_token_for_another_data_centre_is_taken_there_once_and_in_time(double):
    double.call("/accounts", {"phone": "491510000208", "dc": 2})
    client = await double.connected()
    export = functions.auth.ExportLoginTokenRequest(double.api["id"], double.api["hash"], [])
    shown = await client(export)
    double.call("/scan", {"url": url(shown.token), "phone": "491510000208"})
    early, late = await client(export), await client(export)
    assert early.dc_id == late.dc_id == 2 and early.token != late.token
    there = await double.connected(2)
    double.call("/expire", {"url": url(early.token)})
    take = functions.auth.ImportLoginTokenRequest
    with Expected(errors.AuthTokenExpiredError):
        await there(take(early.token))
    with Expected(errors.AuthTokenInvalidError):
        await there(take(shown.token))
    with Expected(errors.AuthTokenInvalidError):
        await client(take(late.token))
    assert isinstance(await there(take(late.token)), types.auth.LoginTokenSuccess)
    with Expected(errors.AuthTokenAlreadyAcceptedError):
        await there(take(late.token))
    assert isinstance(await client(export), types.auth.LoginToken)
    await client.disconnect()
    await there.disconnect()


async def a_client_that_is_logged_in_scans_for_another(double):
    double.call("/accounts", {"phone": "491510000209"})
    phone = await double.connected()
    me = await double.scanned(phone, "491510000209")
    other = await double.connected(device_model="Other")
    refusing = await other(functions.auth.ExportLoginTokenRequest(double.api["id"], double.api["hash"], [1, me.id]))
    with Expected(errors.AuthTokenExceptionError):
        await phone(functions.auth.AcceptLoginTokenRequest(refusing.token))
    login = await other.qr_login()
    waiting = asyncio.ensure_future(login.wait(WITHIN))
    await asyncio.sleep(0.05)
    seen = await phone(functions.auth.AcceptLoginTokenRequest(login.token))
    assert seen.device_model == "Other" and seen.api_id == double.api["id"]
    assert (await waiting).id == me.id
    devices = (await phone(functions.account.GetAuthorizationsRequest())).authorizations
    assert sorted(one.current for one in devices) == [False, True]
    await phone(functions.account.ResetAuthorizationRequest(next(one.hash for one in devices if not one.current)))
    with Expected(errors.SessionRevokedError):
        await other(functions.updates.GetStateRequest())
    await phone.disconnect()
    await other.disconnect()


async def a_code_that_was_sent_is_mistyped_then_typed(double):
    phone = "491510000210"
    double.call("/accounts", {"phone": phone})
    client = await double.connected()
    sent = await client.send_code_request("+49 151 0000210")
    assert isinstance(sent.type, types.auth.SentCodeTypeApp) and isinstance(sent.next_type, types.auth.CodeTypeSms)
    code = double.call(f"/code?phone={phone}")
    assert code["via"] == "app" and len(code["code"]) == sent.type.length
    with Expected(errors.PhoneCodeInvalidError):
        await client.sign_in(phone, "1" + code["code"])
    again = await client(functions.auth.ResendCodeRequest(phone, sent.phone_code_hash))
    assert isinstance(again.type, types.auth.SentCodeTypeSms)
    with Expected(errors.PhoneCodeExpiredError):
        await client.sign_in(phone, code["code"], phone_code_hash=sent.phone_code_hash)
    code = double.call(f"/code?phone={phone}")
    assert (await client.sign_in(phone, code["code"], phone_code_hash=again.phone_code_hash)).phone == phone
    await client.disconnect()


async def a_code_that_was_sent_ends_with_its_time_or_when_it_is_cancelled(double):
    phone = "491510000211"
    double.call("/accounts", {"phone": phone, "code_via": "sms"})
    client = await double.connected()
    sent = await client.send_code_request(phone)
    assert isinstance(sent.type, types.auth.SentCodeTypeSms)
    assert await client(functions.auth.CancelCodeRequest(phone, sent.phone_code_hash))
    with Expected(errors.PhoneCodeExpiredError):
        await client(functions.auth.CancelCodeRequest(phone, sent.phone_code_hash))
    sent = await client(functions.auth.SendCodeRequest(phone, double.api["id"], double.api["hash"], types.CodeSettings()))
    code = double.call(f"/code?phone={phone}")["code"]
    double.call("/expire-code", {"phone": phone})
    with Expected(errors.PhoneCodeExpiredError):
        await client.sign_in(phone, code, phone_code_hash=sent.phone_code_hash)
    await client.disconnect()


async def codes_come_in_every_way_there_is(double):
    phone = "491510000219"
    ways = {
        "call": types.auth.SentCodeTypeCall,
        "flash_call": types.auth.SentCodeTypeFlashCall,
        "missed_call": types.auth.SentCodeTypeMissedCall,
        "email": types.auth.SentCodeTypeEmailCode,
        "email_setup": types.auth.SentCodeTypeSetUpEmailRequired,
        "fragment": types.auth.SentCodeTypeFragmentSms,
        "firebase": types.auth.SentCodeTypeFirebaseSms,
        "phrase": types.auth.SentCodeTypeSmsPhrase,
        "word": types.auth.SentCodeTypeSmsWord,
    }
    client = await double.connected()
    ask = functions.auth.SendCodeRequest(phone, double.api["id"], double.api["hash"], types.CodeSettings())
    double.call("/accounts", {"phone": phone, "code_via": "payment"})
    assert isinstance(await client(ask), types.auth.SentCodePaymentRequired)
    for way, kind in ways.items():
        double.call("/accounts", {"phone": phone, "code_via": way})
        sent = await client(ask)
        assert isinstance(sent.type, kind)
    code = double.call(f"/code?phone={phone}")["code"]
    assert sent.type.beginning == code[0]
    assert (await client.sign_in(phone, code, phone_code_hash=sent.phone_code_hash)).phone == phone
    await client.disconnect()


async def a_password_is_asked_for_after_the_code_and_far_from_home(double):
    phone = "491510000212"
    double.call("/accounts", {"phone": phone, "password": "pa\u00dfwort", "dc": 2})
    client = await double.connected()
    await client.send_code_request(phone)
    assert client.session.dc_id == 2
    with Expected(errors.SessionPasswordNeededError):
        await client.sign_in(phone, double.call(f"/code?phone={phone}")["code"])
    with Expected(errors.PasswordHashInvalidError):
        await client.sign_in(password="passwort")
    assert (await client.sign_in(password="pa\u00dfwort")).phone == phone
    await client.disconnect()


async def numbers_are_refused_in_the_words_of_the_service(double):
    double.call("/accounts", {"phone": "491510000213"})
    double.call("/standing", {"phone": "491510000213", "standing": "banned"})
    client = await double.connected()
    for phone, error in (("12", errors.PhoneNumberInvalidError), ("491510000213", errors.PhoneNumberBannedError)):
        with Expected(error):
            await client.send_code_request(phone)
    await client.send_code_request("491519999999")
    with Expected(errors.PhoneNumberUnoccupiedError):
        await client.sign_in("491519999999", double.call("/code?phone=491519999999")["code"])
    double.call("/failures", {"method": "auth.sendCode", "error": "FLOOD_WAIT_1200"})
    with Expected(errors.FloodWaitError, "1200"):
        await client.send_code_request("491519999998")
    await client.disconnect()


async def an_application_that_is_not_known_logs_nobody_in(double):
    client = await double.connected()
    ask = functions.auth.ExportLoginTokenRequest
    with Expected(errors.ApiIdInvalidError):
        await client(ask(double.api["id"], "f" * 32, []))
    with Expected(errors.ApiIdInvalidError):
        await client(functions.auth.SendCodeRequest("491510000201", 4, double.api["hash"], types.CodeSettings()))
    double.call("/apis", {"id": 20002, "hash": "a" * 32, "published": True})
    with Expected(errors.ApiIdPublishedFloodError):
        await client(ask(20002, "a" * 32, []))
    await client.disconnect()


async def who_logs_out_is_gone(double):
    double.call("/accounts", {"phone": "491510000214"})
    client = await double.connected()
    await double.scanned(client, "491510000214")
    text = client.session.save()
    assert len(double.call("/sessions?phone=491510000214")) == 1
    assert await client.log_out()
    assert double.call("/sessions?phone=491510000214") == []
    later = double.client(text)
    await later.connect()
    with Expected(errors.AuthKeyUnregisteredError):
        await later(functions.updates.GetStateRequest())
    await later.disconnect()


async def the_end_of_a_login_is_seen(double):
    double.call("/accounts", {"phone": "491510000215"})
    client = await double.connected()
    await double.scanned(client, "491510000215")
    state = functions.updates.GetStateRequest()
    for standing, error in (("banned", errors.UserDeactivatedBanError), ("deactivated", errors.UserDeactivatedError)):
        double.call("/standing", {"phone": "491510000215", "standing": standing})
        with Expected(error):
            await client(state)
    double.call("/standing", {"phone": "491510000215", "standing": None})
    await client(state)
    assert double.call("/revoke", {"phone": "491510000215"}) == {"count": 1}
    with Expected(errors.SessionRevokedError):
        await client(state)
    assert (await double.scanned(client, "491510000215")).phone == "491510000215"
    for word, error in (("AUTH_KEY_UNREGISTERED", errors.AuthKeyUnregisteredError), ("SESSION_EXPIRED", errors.SessionExpiredError)):
        double.call("/revoke", {"phone": "491510000215", "error": word})
        with Expected(error):
            await client(state)
        assert (await double.scanned(client, "491510000215")).phone == "491510000215"
    await client.disconnect()


async def a_client_that_is_too_old_and_a_session_in_two_places_are_told(double):
    phone = "491510000220"
    double.call("/accounts", {"phone": phone})
    client = await double.connected()
    double.call("/failures", {"method": "auth.sendCode", "error": "UPDATE_APP_TO_LOGIN"})
    with Expected(errors.UpdateAppToLoginError):
        await client.send_code_request(phone)
    assert (await double.scanned(client, phone)).phone == phone
    double.call("/failures", {"method": "updates.getState", "error": "AUTH_KEY_DUPLICATED"})
    with Expected(errors.AuthKeyDuplicatedError):
        await client(functions.updates.GetStateRequest())
    await client.disconnect()


async def codes_on_show_are_withdrawn_all_at_once(double):
    phone = "491510000221"
    double.call("/accounts", {"phone": phone})
    clients = [await double.connected() for _ in range(2)]
    shown = [await client.qr_login() for client in clients]
    double.call("/expire", {})
    for login in shown:
        with Expected(Refused, "AUTH_TOKEN_EXPIRED"):
            double.call("/scan", {"url": login.url, "phone": phone})
    for client in clients:
        assert (await double.scanned(client, phone)).phone == phone
        await client.disconnect()
