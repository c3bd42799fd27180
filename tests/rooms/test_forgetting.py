"""`livechat.rooms.forgetting`: people are taken out of everything."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.logger import capturedLogs

from livechat.errors import ChatError, Kind
from livechat.identity.actor import Actor, Lease
from livechat.identity.pseudonyms import NAME, PREFIX
from livechat.identity.rights import Right
from livechat.protocol.actions import Action, Complain, Forget, Pardon, Restrict, Revoke
from livechat.protocol.messages import Edit, Gone, Message, User
from livechat.protocol.names import AUDIT_ROOM, EVENTS_ROOM
from livechat.protocol.v1 import Ack
from livechat.rooms.actions import act
from livechat.rooms.case_register import cases_map
from livechat.rooms.erasure import STEP
from livechat.rooms.forgetting import LEASE, LOOK_EVERY, Forgetting, Job, jobs_map
from livechat.rooms.restrictions import restrictions_map
from livechat.rooms.rules import Rules
from tests.rooms.removing import Store, entries, goes_on, of, records, say, texts, until
from tests.support import ADMIN, World
from tests.support.outcomes import refusing, result

ID = "zebra-4711"
ANN = User(ID, "Annegret", verified=True)
TWIN = User(ID, "Gisela")
BOB = User("bob", "Bob", verified=True)


def does(world: World, action: Action, actor: Actor = ADMIN, room: str = "r") -> Ack:
    found: Ack = until(world, act(world.chat, actor, room, action))
    return found


def forgets(world: World, user: str = ID, **more: Any) -> str:
    """Have somebody forgotten, and wait until that is done."""
    ack = does(world, Forget(user, **more))
    assert ack.case is not None
    for _ in range(1_000):
        if job(world, ack.case).done:
            return ack.case
        world.clock.advance(0.1)
    raise AssertionError("nobody is forgotten")


def job(world: World, case: str) -> Job:
    return dict(world.chat.forgetting.listed(ADMIN))[case]


def process(world: World) -> Forgetting:
    """Another process, in the same rooms."""
    chat = world.chat
    rules = Rules(chat._policy, chat.settings, chat.restrictions)
    return Forgetting(
        world.backend,
        rules,
        leases=chat.leases,
        audit=chat.audit,
        cases=chat.cases,
        time=world.time,
    )


def files_with(world: World, *words: str) -> list[str]:
    """The files of the state directory in which one of *words* is, a minute later."""
    goes_on(world, 60)
    world.backend._housekeeping._tick()
    return [
        f"{path.name}: {word}"
        for path in world.store.directory.iterdir()
        for word in words
        if word.encode() in path.read_bytes()
    ]


def values(world: World) -> str:
    maps = (restrictions_map, cases_map, jobs_map)
    return " ".join(
        f"{key} {value.decode()}" for each in maps for key, value in each(world.backend).items()
    )


def amends(world: World, amendment: Any) -> None:
    (done,) = world.store.write([amendment])
    assert not isinstance(done, Exception), done


class TestRooms:
    def test_messages_are_gone_from_rooms_and_files(self, world: World) -> None:
        """Theirs are gone from every room and every file; nobody else's number is another one."""
        say(world, "confided one", "confided two", user=ANN)
        say(world, "hello", user=BOB)
        say(world, "twins", user=TWIN)
        say(world, "confided elsewhere", user=ANN, room="other")
        say(world, "nothing of hers", user=BOB, room="third")
        amends(world, Edit("r", 1, "confided edit", ANN.subject))
        before = {each.seq: each for each in entries(world) if isinstance(each, Message)}
        case = forgets(world)
        after = list(entries(world))
        assert [type(each) for each in after[:2]] == [Gone, Gone]
        assert [each for each in after if isinstance(each, Message)] == [before[3], before[4]]
        assert texts(world, "other") == []
        assert len(list(entries(world, "third"))) == 1
        assert (job(world, case).count, job(world, case).subject) == (3, "")
        assert files_with(world, "confided", "Annegret") == []

    def test_a_guest_of_the_same_id_stays(self, world: World) -> None:
        """A guest of the same id is somebody else."""
        say(world, "hers", user=ANN)
        say(world, "confided", user=TWIN)
        forgets(world, guest=True)
        assert texts(world) == ["hers"]
        assert files_with(world, "confided", "Gisela") == []

    def test_many_messages_are_forgotten_in_steps(self, world: World) -> None:
        """More than one step, and one event for a hundred messages at most."""
        say(world, *map(str, range(STEP)), user=BOB)
        say(world, *["confided"] * 250, user=ANN)
        say(world, "last", user=BOB)
        forgets(world)
        assert len(texts(world)) == STEP + 1
        assert texts(world)[-1] == "last"
        assert len(list(entries(world))) == STEP + 251 + 3

    def test_edits_whose_messages_are_not_kept(self, make_world: Any) -> None:
        """Edits without their messages have no known author, so their words are removed."""
        from livechat.backends.retention import Retention  # noqa: PLC0415

        world: World = make_world(retention=Retention(3, 0))
        say(world, "first", user=ANN)
        amends(world, Edit("r", 1, "confided", ANN.subject))
        say(world, "a", "b", user=BOB)
        goes_on(world, 120)
        forgets(world)
        assert texts(world) == ["a", "b"][-len(texts(world)) :]
        assert files_with(world, "confided") == []

    def test_hidden_entries_are_erased(self, make_world: Any) -> None:
        """Entries beyond the history's limit, and those that wait for removal, are erased too."""
        world: World = make_world()
        say(world, "confided one", "confided two", user=ANN)
        say(world, "b", user=BOB)
        world.backend.messages.retain(lambda room: (1, 0))
        page = result(world.backend.messages.read("r", 0, 9))
        assert [each.seq for each in page.entries] == [3]
        forgets(world)
        assert files_with(world, "confided", "Annegret") == []

    def test_messages_before_the_ack_are_gone(self, world: World) -> None:
        """Everything sent before the ack is gone; the person can go on afterwards."""
        say(world, *["before"] * 300, user=ANN)
        ann = of(world, ANN)
        done = act(world.chat, ADMIN, "r", Forget(ID))
        acked: list[int] = []
        for number in range(50):
            world.clock.advance(0.01)
            if done.called and not acked:
                acked.append(number)
            result(world.chat.send(ann, "r", f"meanwhile {number}"))
        goes_on(world, 5)
        assert "before" not in texts(world)
        result(world.chat.send(ann, "r", "after"))
        assert texts(world)[-1] == "after"


class TestPeople:
    def test_a_ban_goes_on_by_pseudonym(self, world: World) -> None:
        """A ban goes on, by a pseudonym; it can be ended by that, or by the id."""
        for pardoned in (ID, None):
            does(world, Restrict(ID, "ban", reason="of Annegret"))
            forgets(world)
            assert ID not in values(world)
            assert "Annegret" not in values(world)
            ((where, found),) = world.chat.moderation.listed(ADMIN)
            assert (where, found.kind, found.reason) == ("r", "ban", "")
            assert (found.user.name, found.user.verified) == (NAME, True)
            assert found.user.id.startswith(PREFIX)
            with pytest.raises(ChatError, match="banned"):
                world.chat.say(of(world, ANN), "r", "hi", None)  # type: ignore[arg-type]
            result(world.chat.send(of(world, TWIN), "r", "hi"))
            does(world, Pardon(pardoned or found.user.id))
            result(world.chat.send(of(world, ANN), "r", "hi"))

    def test_a_pardon_ends_both_restrictions(self, world: World) -> None:
        """A pardon ends the restriction under the pseudonym and the one made later."""
        does(world, Restrict(ID, "mute"))
        forgets(world)
        does(world, Restrict(ID, "ban"))
        does(world, Pardon(ID))
        result(world.chat.send(of(world, ANN), "r", "hi"))
        assert world.chat.moderation.listed(ADMIN) == []

    def test_revoked_tokens_stay_revoked(self, world: World) -> None:
        """Tokens that were revoked stay so; the list does not say whose they were."""
        token = world.token(ID)
        does(world, Revoke(ID))
        forgets(world)
        assert files_with(world, ID) == []
        actor = of(world, ANN)
        old = Actor("user", actor.source, ANN, lease=Lease(1_790_000_000, None))
        with pytest.raises(ChatError, match="revoked"):
            world.leases.check(old)
        assert token

    def test_cases_of_the_person_are_closed(self, world: World) -> None:
        """Reports of theirs and about them are closed, and nowhere any more."""
        say(world, "confided", user=ANN)
        say(world, "b", user=BOB)
        does(world, Complain(1, "rude"), of(world, BOB))
        does(world, Complain(2, "confided reason"), of(world, ANN))
        assert len(world.chat.cases.listed(ADMIN)) == 2
        forgets(world)
        assert world.chat.cases.listed(ADMIN) == []
        assert files_with(world, "confided", "Annegret") == []

    def test_the_audit_keeps_a_pseudonym(self, world: World) -> None:
        """Records stay, with a pseudonym; kept texts go.  One says what was done."""
        say(world, "confided", user=ANN)
        say(world, "another's", user=BOB)
        ann = of(world, ANN, "join", "history", "send", "moderate")
        until(world, world.chat.retract(ADMIN, "r", [1]))
        until(world, world.chat.retract(ann, "r", [2]))
        does(world, Restrict("bob", "mute", reason="confided reason"), ann)
        case = forgets(world)
        first, second, third, last = records(world)
        name = first.action.user
        assert name is not None
        assert (name.name, first.text) == (NAME, None)
        assert (second.by.user, second.text) == (name, "another's")
        assert third.by.user == name
        assert third.action.reason is None
        assert (last.action.type, last.action.user, last.action.case) == ("forget", name, case)
        assert last.action.count == 0
        assert files_with(world, "confided", "Annegret", ID) == []

    def test_events_that_name_the_person_are_emptied(self, world: World) -> None:
        """Events for webhooks that name the person are emptied, whoever is their author."""
        until(world, world.backend.outbox.keep(["shop"]))
        for user, author in ((ANN, ANN), (BOB, BOB), (ANN, None)):
            text = f'{{"event":"joined","user":{{"id":"{user.id}","name":"x","verified":true}}}}'
            say(world, text, user=author, room=EVENTS_ROOM)
        forgets(world)
        found = until(world, world.backend.outbox.read("shop", EVENTS_ROOM, 9)).entries
        assert [type(each) for each in found[:3]] == [Gone, Message, Gone]
        assert all(isinstance(each, Gone) for each in found[3:])
        assert files_with(world, ID) == []

    def test_held_entries_of_a_room_are_emptied(self, world: World) -> None:
        """Entries kept for webhooks beyond the history are emptied."""
        until(world, world.backend.outbox.keep(["shop"]))
        say(world, "confided", user=ANN)
        say(world, "b", user=BOB)
        world.backend.messages.retain(lambda room: (1, 0))
        forgets(world)
        found = until(world, world.backend.outbox.read("shop", "r", 9)).entries
        assert [type(each) for each in found[:2]] == [Gone, Message]
        assert files_with(world, "confided", "Annegret") == []

    def test_held_entries_of_every_room_are_emptied(self, world: World) -> None:
        """Entries kept for receivers beyond the history are emptied in every room."""
        erased: list[tuple[str, str]] = []

        class Outbox:
            def erase(self, room: str, subject: str) -> Deferred[int]:
                erased.append((room, subject))
                return succeed(1)

        erasure = world.chat.forgetting._erasure
        assert erasure is not None
        erasure._outbox = Outbox()  # type: ignore[assignment]
        for room in ("r", EVENTS_ROOM, AUDIT_ROOM):
            say(world, "{}", room=room)
        forgets(world)
        assert sorted(erased) == [(EVENTS_ROOM, ANN.subject), ("r", ANN.subject)]

    def test_a_manager_may_forget_itself(self, world: World) -> None:
        """A manager may forget itself; no record says who did it."""
        rights: tuple[Right, ...] = ("join", "manage")
        ack = does(world, Forget(ID), of(world, ANN, *rights))
        goes_on(world, 2)
        assert job(world, str(ack.case)).author.user == job(world, str(ack.case)).pseudonym
        assert files_with(world, "Annegret") == []


class TestJobs:
    def test_a_killed_job_goes_on_elsewhere(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A job whose process was killed goes on at another one, when its lease is over."""
        for room in ("a", "b"):
            say(world, *["confided"] * 250, user=ANN, room=room)
        store = Store(world, monkeypatch)
        store.amends = 1
        with capturedLogs():
            case = str(does(world, Forget(ID)).case)
            goes_on(world, 1)
            world.chat.forgetting._stopping = True
        store.amends = None
        assert 0 < len(texts(world, "a") + texts(world, "b")) < 500
        other = process(world)
        other.start()
        goes_on(world, LEASE + LOOK_EVERY + 5)
        assert job(world, case).done
        assert texts(world, "a") + texts(world, "b") == []

    def test_a_stopped_process_leaves_its_job(self, world: World) -> None:
        """A process that stops leaves its job to others, at once."""
        say(world, *["confided"] * 1_000, user=ANN)
        case = str(does(world, Forget(ID)).case)
        until(world, Deferred.fromCoroutine(world.chat.forgetting.stop()))
        assert job(world, case).subject
        other = process(world)
        other.start()
        goes_on(world, 2)
        assert job(world, case).done
        assert texts(world) == []

    def test_an_absent_store_is_tried_again(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """While the store is away it is tried again."""
        say(world, "confided", user=ANN)
        world.chat.forgetting.start()
        away = refusing(ChatError(Kind.UNAVAILABLE, "away"))
        with monkeypatch.context() as patch, capturedLogs() as logs:
            patch.setattr(world.backend.messages, "amend", away)
            case = str(does(world, Forget(ID)).case)
            goes_on(world, 2 * LOOK_EVERY)
        assert "away" in str([each.get("reason") for each in logs])
        assert not job(world, case).done
        goes_on(world, LEASE + LOOK_EVERY)
        assert job(world, case).done
        assert texts(world) == []

    def test_a_second_order_is_the_same(self, world: World) -> None:
        """A second order, while the first is not done, is the same one."""
        say(world, *["confided"] * 300, user=ANN)
        acks = [does(world, Forget(ID, nonce=f"n{number}")) for number in range(2)]
        assert acks[0].case == acks[1].case
        assert [each.duplicate for each in acks] == [False, True]
        assert acks[1].nonce == "n1"
        goes_on(world, 2)
        assert not does(world, Forget(ID)).duplicate

    def test_an_unknown_person_leaves_a_record(self, world: World) -> None:
        """Forgetting an unknown person leaves only the record."""
        case = forgets(world, "never-here")
        assert (job(world, case).count, job(world, case).rooms) == (0, 0)
        assert [each.action.type for each in records(world)] == ["forget"]

    @pytest.mark.parametrize("user", ["a b", "!operator", "x!y", "\u200b"])
    def test_bad_ids_are_refused(self, world: World, user: str) -> None:
        with pytest.raises(ChatError, match="cannot be an id"):
            act(world.chat, ADMIN, "r", Forget(user))

    def test_forgetting_takes_managing_everything(self, world: World) -> None:
        for rights in (("join", "history", "send"), ("moderate",)):
            actor = of(world, BOB, *rights)
            for call in (
                lambda each: act(world.chat, each, "r", Forget(ID)),
                world.chat.forgetting.listed,
            ):
                with pytest.raises(ChatError) as refusal:
                    call(actor)
                assert refusal.value.kind in {Kind.FORBIDDEN, Kind.UNAUTHORIZED}

    def test_a_store_without_an_archive_refuses(self, world: World) -> None:
        """A store that nobody can look through refuses."""
        world.chat.forgetting._erasure = None
        with pytest.raises(ChatError, match="cannot list its rooms"):
            act(world.chat, ADMIN, "r", Forget(ID))

    def test_a_job_of_another_version_is_left_alone(self, world: World) -> None:
        """A job that is written in another way is left alone."""
        result(jobs_map(world.backend).put("x", b'{"strange":1}'))
        world.chat.forgetting.start()
        goes_on(world, LOOK_EVERY)
        assert world.chat.forgetting.listed(ADMIN) == []


def test_every_process_forgets_the_origin(world: World) -> None:
    """Every process forgets from where they came."""
    ann = of(world, ANN)
    ann.source.mark = "mark"
    world.chat.restrictions.saw(ann)
    assert world.chat.restrictions._origins.of(ANN.subject) == ["mark"]
    forgets(world)
    assert world.chat.restrictions._origins.of(ANN.subject) == []
