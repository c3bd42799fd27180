"""`livechat.identity.accounts`."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from livechat.errors import ChatError, Kind
from livechat.identity.accounts import (
    LARGEST_ACCOUNT,
    MOST_ACCOUNTS,
    Accounts,
    account_grants,
    account_name,
    rooms_of,
)
from livechat.identity.rights import ALL_RIGHTS, NO_RIGHTS
from tests.identity.desk import accounts_map
from tests.support import kind, run


@pytest.fixture
def accounts() -> Accounts:
    return Accounts(accounts_map())


@pytest.mark.parametrize(
    "name",
    ["", "Ann", "ann ", " ann", "-ann", ".", "..", "_", "änn", "a/b", "a\n", "a" * 65, "operator",
     "ann\0", "a:b", "!ann", "a?b", "a%20"],
)  # fmt: skip
def test_names_that_no_operator_can_have_are_refused(accounts: Accounts, name: str) -> None:
    """A name is written in one way only, in a URL too, and is not that of the shared password."""
    with pytest.raises(ChatError) as caught:
        account_name(name)
    assert caught.value.kind is Kind.BAD_REQUEST
    assert accounts.get(name) is None


@pytest.mark.parametrize("name", ["ann", "a", "0", "ann@example.org", "a.b-c_d+e", "a" * 64])
def test_accepted_names_stay_as_they_are(name: str) -> None:
    assert account_name(name) == name


@pytest.mark.parametrize(
    "rooms", [{"": ["send"]}, {"a*b": ["send"]}, {"!audit": ["*"]}, {"lobby": ["fly"]},
              {str(number): [] for number in range(101)}]
)  # fmt: skip
def test_bad_rights_are_refused(rooms: dict[str, list[str]]) -> None:
    with pytest.raises(ChatError) as caught:
        account_grants(rooms)
    assert caught.value.kind is Kind.BAD_REQUEST


def test_reading_comes_with_other_rights() -> None:
    """The page of a room shows nothing to those that may not enter and read it."""
    grants = account_grants({"a": ["moderate"], "b": ["join"], "c": [], "*": ["*"]})
    assert grants["a"] == {"join", "history", "moderate"}
    assert grants["b"] == {"join"}
    assert (grants["c"], grants["*"]) == (NO_RIGHTS, ALL_RIGHTS)
    assert rooms_of(grants)["a"] == ["join", "history", "moderate"]


def test_a_change_is_another_version(accounts: Accounts) -> None:
    """Each change gives another version, and keeps what it does not name."""
    assert run(accounts.put("ann", {"a": frozenset({"send"})}, "hash")) is True
    first = accounts.get("ann")
    assert run(accounts.put("ann", {"b": NO_RIGHTS}, None)) is False
    second = accounts.get("ann")
    assert first is not None
    assert second is not None
    assert (second.hash, dict(second.grants)) == ("hash", {"b": NO_RIGHTS})
    assert second.version != first.version
    run(accounts.put("ann", {"b": NO_RIGHTS}, None))
    third = accounts.get("ann")
    assert third is not None
    assert third.version != second.version


def test_a_dropped_account_is_gone(accounts: Accounts) -> None:
    run(accounts.put("bob", {}, "hash"))
    run(accounts.put("ann", {}, "hash"))
    assert [each.name for each in accounts.all()] == ["ann", "bob"]
    run(accounts.drop("ann"))
    assert accounts.get("ann") is None
    assert [each.name for each in accounts.all()] == ["bob"]
    assert kind(Deferred.fromCoroutine(accounts.drop("ann"))) is Kind.NOT_FOUND
    assert kind(Deferred.fromCoroutine(accounts.put("ann", {}, None))) is Kind.NOT_FOUND


def test_accounts_are_bounded(accounts: Accounts) -> None:
    """Neither one account nor all of them can grow without end; what is there stays."""
    grants = {f"{'x' * 100}{number}": ALL_RIGHTS for number in range(LARGEST_ACCOUNT // 100)}
    assert kind(Deferred.fromCoroutine(accounts.put("ann", grants, "x"))) is Kind.BAD_REQUEST
    for number in range(MOST_ACCOUNTS):
        run(accounts.put(f"a{number}", {}, "hash"))
    assert kind(Deferred.fromCoroutine(accounts.put("ann", {}, "x"))) is Kind.OVERLOADED
    assert run(accounts.put("a0", {"b": NO_RIGHTS}, None)) is False
    assert len(accounts.all()) == MOST_ACCOUNTS


def test_changed_at_once_by_two() -> None:
    """Two processes change an account at the same time: one of them gets an error."""
    shared = accounts_map()
    accounts = Accounts(shared)
    run(accounts.put("ann", {}, "hash"))
    get, seen = shared.get, shared.get("ann")
    run(Accounts(shared).put("ann", {"a": NO_RIGHTS}, None))
    shared.get = lambda key: seen  # type: ignore[method-assign]
    shared_put = shared.put

    def put(*args: object, **kwargs: object) -> Deferred[bool]:
        shared.get = get  # type: ignore[method-assign]
        return shared_put(*args, **kwargs)  # type: ignore[arg-type]

    shared.put = put  # type: ignore[method-assign]
    assert kind(Deferred.fromCoroutine(accounts.put("ann", {}, None))) is Kind.UNAVAILABLE


@pytest.mark.parametrize(
    "value",
    [b"1", b"{}", b'"x"', b"[]", b'{"hash": "x", "rooms": {"": []}, "version": ""}'],
)
def test_what_cannot_be_read(value: bytes) -> None:
    """An account of another livechat, or a damaged one, is nobody's."""
    shared = accounts_map()
    run(Accounts(shared).put("bob", {}, "hash"))
    shared.put("ann", value)
    accounts = Accounts(shared)
    assert accounts.get("ann") is None
    assert [each.name for each in accounts.all()] == ["bob"]
