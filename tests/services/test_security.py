"""Who is not known gets 401, who may not gets 403, and a development token is worth nothing in production."""

import base64
import hmac
import stat

import orjson
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from pydantic import ValidationError

from services.api.dev_issuer import DevIssuer
from services.api.settings import ApiSettings
from services.api.tokens import (
    REMEMBERED_SECONDS,
    Expectation,
    InvalidToken,
    KeySource,
    TokenVerifier,
    keys_from_file,
    keys_given,
)
from shared.application.principal import Principal, Role
from shared.application.refusals import Unavailable
from tests.services.framing import client_of, make_app

EXPECTED = Expectation(issuer="https://issuer", audience="arrears", roles_claim="realm_access.roles")
RSA = RSAKey.generate_key(2048, {"use": "sig"}, auto_kid=True)


class Clock:
    def __init__(self, at=1_000_000.0):
        self.at = at

    def __call__(self):
        return self.at


def token(key=RSA, alg="RS256", header=None, **changes):
    claims = {
        "iss": "https://issuer", "aud": ["other", "arrears"], "sub": "u1", "exp": 1_000_600,
        "realm_access": {"roles": ["collector", "unknown"]}, "teams": "north south", "portfolios": ["p1"],
    } | changes  # fmt: skip
    claims = {name: value for name, value in claims.items() if value is not ...}
    return jwt.encode({"alg": alg, "kid": key.kid} | (header or {}), claims, key, algorithms=[alg])


def signed_with_the_public_key():
    """The old confusion: a public key taken for a shared secret."""
    claims = token().split(".")[1]
    header = base64.urlsafe_b64encode(orjson.dumps({"alg": "HS256", "kid": RSA.kid})).rstrip(b"=").decode()
    signed = hmac.digest(RSA.as_pem(private=False), f"{header}.{claims}".encode(), "sha256")
    return f"{header}.{claims}.{base64.urlsafe_b64encode(signed).rstrip(b'=').decode()}"


def verifier(now=None, keys=None):
    return TokenVerifier(keys or keys_given({"keys": [RSA.as_dict(private=False)]}), EXPECTED, now=now or Clock())


async def test_a_good_token_becomes_a_principal():
    assert await verifier().verify(token()) == Principal(
        "u1", frozenset({Role.COLLECTOR}), frozenset({"north", "south"}), frozenset({"p1"})
    )


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(token(iss="https://other"), id="another issuer"),
        pytest.param(token(aud="other"), id="for somebody else"),
        pytest.param(token(aud=...), id="for nobody"),
        pytest.param(token(exp=...), id="without an end"),
        pytest.param(token(exp=900_000), id="over"),
        pytest.param(token(nbf=1_100_000), id="not yet"),
        pytest.param(token(sub=...), id="about nobody"),
        pytest.param(token(sub=""), id="an empty subject"),
        pytest.param(token(sub="x" * 300), id="a subject too long"),
        pytest.param(token(sub="a\nb"), id="two lines"),
        pytest.param(token(RSAKey.generate_key(2048, auto_kid=True)), id="a key that nobody knows"),
        pytest.param(token(ECKey.generate_key("P-256", auto_kid=True), "ES256"), id="a curve"),
        pytest.param(signed_with_the_public_key(), id="signed with the public key"),
        pytest.param(token()[:-4], id="cut"),
        pytest.param("eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1MSJ9.", id="no algorithm"),
        pytest.param("a.b.c", id="three letters"),
        pytest.param("x" * 10_000, id="long"),
        pytest.param("...", id="dots"),
    ],
)
async def test_a_token_that_proves_nothing_is_refused(bad):
    with pytest.raises(InvalidToken) as refused:
        await verifier().verify(bad)
    assert bad not in str(refused.value)


async def test_a_token_is_remembered_but_never_beyond_its_expiry_nor_for_long():
    clock = Clock()
    checked = verifier(clock)
    text = token()
    assert checked.recall(text) is None
    await checked.verify(text)
    assert checked.recall(text) is not None
    clock.at += REMEMBERED_SECONDS + 1
    assert checked.recall(text) is None
    short = token(exp=int(clock.at) + 5)
    await checked.verify(short)
    clock.at += 6
    assert checked.recall(short) is None


async def test_a_new_key_of_the_issuer_is_fetched_when_it_is_named():
    published, asked, clock = [RSA.as_dict(private=False)], [], Clock()
    rotated = RSAKey.generate_key(2048, auto_kid=True)

    async def fetch():
        asked.append(1)
        return {"keys": list(published)}

    checked = verifier(keys=KeySource(fetch, monotonic=clock))
    await checked.verify(token())
    published.append(rotated.as_dict(private=False))
    with pytest.raises(InvalidToken, match="unknown key"):
        await checked.verify(token(rotated))  # asked a moment ago: strangers' keys must not make us hammer the issuer
    clock.at += 11
    await checked.verify(token(rotated))
    assert len(asked) == 2


async def test_while_the_issuer_is_away_known_keys_stay_good_and_without_any_we_say_later():
    clock, up = Clock(), [True]

    async def fetch():
        if not up[0]:
            raise ConnectionError
        return {"keys": [RSA.as_dict(private=False)]}

    checked = verifier(keys=KeySource(fetch, monotonic=clock))
    await checked.verify(token())
    up[0] = False
    clock.at += 10_000
    await checked.verify(token(sub="u2"))
    with pytest.raises(Unavailable):
        await verifier(keys=KeySource(fetch, monotonic=clock)).verify(token())


async def test_keys_are_read_from_a_file(tmp_path):
    (tmp_path / "jwks.json").write_bytes(orjson.dumps({"keys": [RSA.as_dict(private=False)]}))
    await verifier(keys=keys_from_file(tmp_path / "jwks.json")).verify(token())


async def test_unknown_callers_get_401_with_a_challenge_and_others_403(tmp_path):
    app, issuer = make_app(tmp_path)
    good = issuer.make_token(Role.COLLECTOR)
    async with client_of(app) as client:
        for header, challenge in (
            (None, 'Bearer realm="arrears"'),
            ("Basic eDp5", 'Bearer realm="arrears", error="invalid_request"'),
            ("Bearer ", 'Bearer realm="arrears", error="invalid_request"'),
            ("Bearer rubbish", 'Bearer realm="arrears", error="invalid_token"'),
            ("Bearer r\xfcbbish", 'Bearer realm="arrears", error="invalid_request"'),
        ):
            headers = {} if header is None else {b"authorization": header.encode("latin-1")}
            answer = await client.get("/v1/widgets/1", headers=headers)
            assert answer.status_code == 401, header
            assert answer.headers["www-authenticate"] == challenge
        assert (await client.get("/v1/widgets/1", headers={"authorization": f"bearer {good}"})).status_code == 200
    async with client_of(app, issuer.make_token(Role.OPERATIONS)) as client:
        answer = await client.get("/v1/widgets/1")
        assert answer.status_code == 403
        assert "auditor, collector" in answer.json()["detail"]
        assert "www-authenticate" not in answer.headers
    async with client_of(app, issuer.make_token()) as client:
        assert (await client.get("/v1/widgets/1")).status_code == 403


async def test_a_stranger_is_turned_away_before_the_body_is_looked_at(tmp_path):
    app, _ = make_app(tmp_path)
    async with client_of(app) as client:
        answer = await client.post("/v1/widgets", content=b"{", headers={"content-type": "text/plain"})
        assert answer.status_code == 401


def test_the_development_key_is_made_once_and_only_for_the_owner(tmp_path):
    DevIssuer(tmp_path, audience="arrears").make_token(Role.ADMIN)
    first = (tmp_path / "issuer.json").read_bytes()
    DevIssuer(tmp_path, audience="arrears")
    assert (tmp_path / "issuer.json").read_bytes() == first
    assert stat.S_IMODE((tmp_path / "issuer.json").stat().st_mode) == 0o600


def test_production_does_not_start_with_what_is_made_for_development(tmp_path):
    common = {"environment": "production", "home": tmp_path, "keys": "{}"}
    with pytest.raises(ValidationError, match="JWKS"):
        ApiSettings(**common)
    with pytest.raises(ValidationError, match="ISSUER"):
        ApiSettings(**common, auth_jwks_url="https://issuer/jwks")
    with pytest.raises(ValidationError, match="https"):
        ApiSettings(**common, auth_jwks_url="http://issuer/jwks", auth_issuer="https://issuer")
    with pytest.raises(ValidationError, match="KEY"):
        ApiSettings(
            environment="production", home=tmp_path, auth_jwks_url="https://issuer/jwks", auth_issuer="https://issuer"
        )
    ApiSettings(**common, auth_jwks_url="https://issuer/jwks", auth_issuer="https://issuer")


async def test_a_development_token_means_nothing_to_another_issuer(tmp_path):
    issuer = DevIssuer(tmp_path, audience="arrears")
    with pytest.raises(InvalidToken):
        await TokenVerifier(issuer.keys(), EXPECTED).verify(issuer.make_token(Role.ADMIN))
