"""People: signing in and what is counted, sign-ins, tokens, links, and the log of it all."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text, update

from buttress.access import Origin, audit, links, passwords, people, roles, signing_in, throttle
from buttress.access import tokens as token_service
from buttress.access.identity import acting, require
from buttress.access.secrets import id_of, new_token
from buttress.access.signing_in import Lifetimes
from buttress.access.tables import AuditEntry, Link, SignIn, Token
from buttress.db.database import Database
from buttress.errors import (
    BadInput,
    ButtressError,
    Conflict,
    Forbidden,
    NotFound,
    NotSignedIn,
    TooMany,
)

PASSWORD = "four unusual garden words"
HOME, AWAY = Origin("192.0.2.7", "a browser"), Origin("198.51.100.9", "another browser")


@pytest.fixture
def database(foundation_url: str) -> Iterator[Database]:
    database = Database(foundation_url)
    with database.session() as session:
        people.create(session, "root@example.com", "admin", password=PASSWORD)
        people.create(session, "ann@example.com", "analyst", password=PASSWORD)
    yield database
    database.close()


def sign_in(database, name="ann@example.com", password=PASSWORD, origin=HOME) -> str:
    return signing_in.sign_in(database.session, name, password, origin)


def identify(database, secret, **options):
    with database.session() as session:
        return signing_in.identify(session, secret, HOME, **options)


def test_a_cookie_tells_who_it_is_and_nothing_kept_holds_it(database):
    secret = sign_in(database, " Ann@Example.com ")

    identity = identify(database, secret)

    assert (identity.name, identity.role) == ("ann@example.com", "analyst")
    with database.session() as session:
        kept = session.scalars(select(SignIn)).one()
        assert secret.encode() not in kept.digest
        assert PASSWORD not in str(session.execute(text("select * from buttress_person")).all())


@pytest.mark.parametrize(
    ("name", "password"),
    [("ann@example.com", "wrong"), ("nobody@example.com", PASSWORD), ("", ""), ("a\x00b", "x")],
)
def test_whoever_is_refused_is_not_told_why(database, name, password):
    with pytest.raises(NotSignedIn, match="name or password is wrong"):
        sign_in(database, name, password)


def test_an_unknown_name_takes_as_long_as_a_wrong_password(database):
    def seconds(name: str, address: str) -> float:
        began = time.process_time()
        with pytest.raises(NotSignedIn):
            sign_in(database, name, "wrong", Origin(address))
        return time.process_time() - began

    passwords.matches(None, "")
    unknown = statistics.median(seconds(f"x{i}@example.com", f"192.0.2.{i}") for i in range(5))
    with database.session() as session:
        for i in range(5):
            people.create(session, f"y{i}@example.com", "viewer", password=PASSWORD)
    known = statistics.median(seconds(f"y{i}@example.com", f"192.0.2.{i}") for i in range(5))

    assert unknown > known / 2


def test_guesses_become_slow_and_the_owner_gets_in_from_where_they_are_known(database):
    sign_in(database, origin=HOME)

    refused = 0
    for number in range(30):
        with pytest.raises((NotSignedIn, TooMany)) as caught:
            sign_in(database, password=f"guess {number}", origin=Origin(f"198.51.100.{number}"))
        refused += isinstance(caught.value, TooMany)

    assert refused == 30 - throttle.FREE_BY_NAME
    assert sign_in(database, origin=HOME)


def test_at_most_ten_guesses_fit_into_a_quarter_of_an_hour():
    waited, tries = timedelta(), 0
    while waited <= throttle.FORGOTTEN_AFTER:
        tries += 1
        waited += throttle.delay(tries, throttle.FREE_BY_NAME)

    assert tries <= 10


def test_guesses_of_the_same_moment_are_counted_one_by_one(database):
    outcomes = []

    def guess(number: int) -> None:
        try:
            sign_in(database, password="wrong", origin=Origin(f"198.51.100.{number}"))
        except ButtressError as error:
            outcomes.append(type(error))

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert outcomes.count(NotSignedIn) == throttle.FREE_BY_NAME
    assert outcomes.count(TooMany) == 12 - throttle.FREE_BY_NAME


def test_one_address_is_slowed_down_whatever_names_it_tries(database):
    failures = []
    for number in range(throttle.FREE_BY_ADDRESS + 2):
        with pytest.raises((NotSignedIn, TooMany)) as caught:
            sign_in(database, f"n{number}@example.com", "x", Origin(f"2001:db8:1:2::{number:x}"))
        failures.append(type(caught.value))

    assert failures[-2:] == [TooMany, TooMany]


@pytest.mark.parametrize("column", ["seen_at", "created_at"])
def test_a_sign_in_ends_by_itself(database, column):
    secret = sign_in(database)
    age = {"seen_at": timedelta(hours=13), "created_at": timedelta(days=8)}[column]
    with database.session() as session:
        session.execute(update(SignIn).values({column: datetime.now(UTC) - age}))

    with pytest.raises(NotSignedIn, match="ended after a while"):
        identify(database, secret)
    with database.session() as session:
        signing_in.sweep(session)
        assert signing_in.sign_ins(session) == []


def test_lifetimes_can_be_shorter(database):
    secret = sign_in(database)

    with pytest.raises(NotSignedIn):
        identify(database, secret, lifetimes=Lifetimes(idle=timedelta(0)))


def test_a_revoked_sign_in_and_that_of_a_disabled_person_end_at_once(database):
    first, second = sign_in(database), sign_in(database)
    revoked = identify(database, first).sign_in
    with database.session() as session:
        ann = people.find(session, "ann@example.com")
        token = token_service.create(session, ann, "script", ["apps.read"])
        signing_in.revoke(session, revoked)

    with pytest.raises(NotSignedIn):
        identify(database, first)
    assert identify(database, second)
    with database.session() as session:
        people.disable(session, people.find(session, "ann@example.com"))
    with pytest.raises(NotSignedIn):
        identify(database, second)
    with database.session() as session, pytest.raises(NotSignedIn):
        token_service.identify(session, token, HOME)
    with pytest.raises(NotSignedIn, match="wrong"):
        sign_in(database)


def test_nobody_revokes_what_belongs_to_another(database):
    secret = sign_in(database)
    with database.session() as session:
        root = people.find(session, "root@example.com")
        ann = people.find(session, "ann@example.com")
        token = token_service.create(session, ann, "script", ["apps.read"])
        with pytest.raises(NotFound):
            signing_in.revoke(session, signing_in.sign_ins(session, ann)[0].id, person=root.id)
        with pytest.raises(NotFound):
            token_service.revoke(session, id_of(token), person=root.id)

    assert identify(database, secret)


def test_a_new_role_counts_from_the_next_click(database):
    secret = sign_in(database)
    assert not identify(database, secret).may("people.manage")

    with database.session() as session:
        people.change_role(session, people.find(session, "ann@example.com"), "admin")

    assert identify(database, secret).may("people.manage")


def test_the_last_admin_stays(database):
    with database.session() as session:
        root = people.find(session, "root@example.com")
        with pytest.raises(Conflict, match="only admin"):
            people.disable(session, root)
        with pytest.raises(Conflict, match="only admin"):
            people.change_role(session, root, "viewer")


def test_a_new_password_ends_other_sign_ins(database):
    here, elsewhere = sign_in(database), sign_in(database, origin=AWAY)
    identity = identify(database, here)
    with database.session() as session:
        link = links.for_new_password(session, people.find(session, "ann@example.com"))
    with acting(identity):
        change_password(database, identity, old=PASSWORD)

    assert identify(database, here)
    with pytest.raises(NotSignedIn):
        identify(database, elsewhere)
    with database.session() as session, pytest.raises(NotFound):
        links.find(session, link)


def change_password(database, identity, *, old: str) -> None:
    signing_in.change_password(
        database.session, identity.person, old=old, new="some other garden words", origin=HOME
    )


def test_the_present_password_is_guessed_no_faster_than_at_the_sign_in(database):
    identity = identify(database, sign_in(database))
    outcomes = []
    for _ in range(8):
        with acting(identity), pytest.raises((BadInput, TooMany)) as caught:
            change_password(database, identity, old="wrong")
        outcomes.append(type(caught.value))

    assert outcomes.count(BadInput) == throttle.FREE_BY_NAME
    with database.session() as session:
        told = audit.entries(session, action="person.password")
        assert [entry.outcome for entry in told].count("failed") == throttle.FREE_BY_NAME


def test_many_good_sign_ins_from_one_address_slow_nobody_down(database):
    for _ in range(throttle.FREE_BY_ADDRESS + 10):
        sign_in(database)


def test_whoever_tries_too_often_does_not_fill_the_log(database):
    for number in range(20):
        with pytest.raises((NotSignedIn, TooMany)):
            sign_in(database, password=f"guess {number}", origin=Origin("198.51.100.1"))

    with database.session() as session:
        outcomes = [entry.outcome for entry in audit.entries(session, action="sign-in")]
    assert outcomes.count("refused") == 1
    assert outcomes.count("failed") == throttle.FREE_BY_NAME


@pytest.mark.parametrize("address", ["::ffff:192.0.2.7", "192.0.2.7"])
def test_an_address_counts_as_one_however_it_is_written(address):
    assert throttle.network(address) == "192.0.2.7"


def test_a_token_lets_nobody_in_and_makes_no_other(database):
    with database.session() as session:
        root = people.find(session, "root@example.com")
        token = token_service.create(session, root, "all", list(roles.PERMISSIONS))
        identity = token_service.identify(session, token, HOME)
    with acting(identity), database.session() as session:
        root, ann = (people.find(session, f"{name}@example.com") for name in ("root", "ann"))
        for forbidden in (
            lambda: token_service.create(session, root, "more", ["apps.read"]),
            lambda: links.invite(session, "bo@example.com", "admin"),
            lambda: links.for_new_password(session, root),
            lambda: people.change_role(session, ann, "admin"),
            lambda: people.disable(session, ann),
        ):
            with pytest.raises(Forbidden, match="a token may not"):
                forbidden()


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "x" * 201,
        "aaaaaaaaaaaaaa",
        "Password123!",
        "iloveyou123",
        "1q2w3e4r5t",
        "ann2026!!!",
        "1234567890",
    ],
)
def test_a_password_anybody_would_try_is_refused(password):
    with pytest.raises(BadInput):
        passwords.hash_password(password, name="ann@example.com")


@pytest.mark.parametrize("name", ["", "a", "two words", "<b>", "a/b", "x" * 201, "a\u202eb"])
def test_what_cannot_be_a_name_is_refused(name):
    with pytest.raises(BadInput):
        people.normal_name(name)


def test_a_token_does_what_it_was_given_and_its_person_may(database):
    with database.session() as session:
        ann = people.find(session, "ann@example.com")
        token = token_service.create(session, ann, "script", ["apps.read", "apps.write"])
        with pytest.raises(Forbidden, match=r"people\.manage"):
            token_service.create(session, ann, "more", ["people.manage"])
        with pytest.raises(BadInput, match="no permission 'fly'"):
            token_service.create(session, ann, "more", ["fly"])
    with database.session() as session:
        identity = token_service.identify(session, token, HOME)
    with acting(identity):
        require("apps.write")
        with pytest.raises(Forbidden, match="may not"):
            require("data.review")

    with database.session() as session:
        people.change_role(session, people.find(session, "ann@example.com"), "viewer")
    with database.session() as session:
        assert token_service.identify(session, token, HOME).permissions == {"apps.read"}


def test_an_expired_or_revoked_token_is_refused(database):
    with database.session() as session:
        ann = people.find(session, "ann@example.com")
        old = token_service.create(session, ann, "old", ["apps.read"], days=1)
        gone = token_service.create(session, ann, "gone", ["apps.read"], days=None)
        session.execute(
            update(Token).where(Token.id == id_of(old)).values(expires_at=datetime.now(UTC))
        )
        token_service.revoke(session, id_of(gone))
    with database.session() as session:
        with pytest.raises(NotSignedIn, match="expired"):
            token_service.identify(session, old, HOME)
        with pytest.raises(NotSignedIn, match="not known"):
            token_service.identify(session, gone, HOME)


@given(st.text())
def test_what_is_no_token_is_seen_without_asking_the_database(text):
    token, _ = new_token()

    assert id_of(text) is None
    assert id_of(token) is not None
    assert id_of(token[:-1] + ("a" if token[-1] != "a" else "b")) is None


def test_the_first_admin_signs_up_by_a_link_that_works_once(foundation_url):
    database = Database(foundation_url)
    with database.session() as session:
        earlier = links.for_first_admin(session)
        secret = links.for_first_admin(session)
    with database.session() as session, pytest.raises(NotFound):
        links.use(session, earlier, name="root@example.com", password=PASSWORD)
    with pytest.raises(BadInput), database.session() as session:
        links.use(session, secret, name="root@example.com", password="short")
    with database.session() as session:
        links.use(session, secret, name="root@example.com", password=PASSWORD)

    assert identify(database, sign_in(database, "root@example.com")).role == "admin"
    with database.session() as session:
        with pytest.raises(NotFound, match="does not work any more"):
            links.use(session, secret, name="second@example.com", password=PASSWORD)
        with pytest.raises(Conflict, match="an admin already"):
            links.for_first_admin(session)
    database.close()


def test_whoever_is_invited_gets_the_role_and_the_name_of_the_invitation(database):
    with database.session() as session:
        secret = links.invite(session, "Bo@example.com", "viewer")
        with pytest.raises(Conflict):
            links.invite(session, "ann@example.com", "viewer")
    with database.session() as session:
        bo = links.use(session, secret, name="root@example.com", password=PASSWORD)

    assert (bo.name, bo.role) == ("bo@example.com", "viewer")


def test_a_link_for_a_new_password_ends_all_sign_ins_and_grows_old(database):
    secret = sign_in(database)
    with database.session() as session:
        ann = people.find(session, "ann@example.com")
        late = links.for_new_password(session, ann)
        session.execute(update(Link).values(expires_at=datetime.now(UTC)))
        with pytest.raises(NotFound):
            links.find(session, late)
        link = links.for_new_password(session, ann)
    with database.session() as session:
        links.use(session, link, name=None, password="some other garden words")

    with pytest.raises(NotSignedIn):
        identify(database, secret)
    assert sign_in(database, password="some other garden words")


def test_a_link_used_twice_at_once_lets_one_in(database):
    with database.session() as session:
        secret = links.invite(session, "bo@example.com", "viewer")
    outcomes = []

    def use() -> None:
        try:
            with database.session() as session:
                links.use(session, secret, name=None, password=PASSWORD)
            outcomes.append("in")
        except ButtressError as error:
            outcomes.append(type(error).__name__)

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert outcomes.count("in") == 1


def test_everything_done_to_people_is_in_the_log(database):
    root = identify(database, sign_in(database, "root@example.com"))
    with acting(root), database.session() as session:
        people.change_role(session, people.find(session, "ann@example.com"), "viewer")
    with pytest.raises(NotSignedIn):
        sign_in(database, password="wrong")

    with database.session() as session:
        told = [(entry.actor, entry.action, entry.outcome) for entry in audit.entries(session)]
        assert told[:3] == [
            ("ann@example.com", "sign-in", "failed"),
            ("root@example.com", "person.role", "done"),
            ("root@example.com", "sign-in", "done"),
        ]
        assert audit.verify(session).broken_at is None
        assert PASSWORD not in str([entry.details for entry in audit.entries(session)])


def test_what_was_rolled_back_is_not_in_the_log(database):
    with database.session() as session:
        before = audit.count(session)

    def fail() -> None:
        with database.session() as session:
            people.create(session, "bo@example.com", "viewer")
            raise LookupError

    with pytest.raises(LookupError):
        fail()

    with database.session() as session:
        assert audit.count(session) == before


def test_entries_written_at_once_form_one_chain(database):
    def write(number: int) -> None:
        for _ in range(5):
            with database.session() as session:
                audit.record(session, "test", str(number), details={"ü": [1, 2.5, None]})

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with database.session() as session:
        verified = audit.verify(session)
    assert verified.broken_at is None
    assert verified.entries >= 30


def test_no_entry_can_be_put_where_it_stops_all_later_ones(database):
    statement = (
        "insert into buttress_audit select 9223372036854775807, at, actor, action, object, outcome, "
        "address, request_id, details, digest from buttress_audit where number = 1"
    )
    with pytest.raises(Exception, match="follows the last one"), database.session() as session:
        session.execute(text(statement))

    assert sign_in(database)


@pytest.mark.parametrize(
    "statement", ["update buttress_audit set actor = 'x'", "delete from buttress_audit"]
)
def test_nobody_changes_the_log(database, statement):
    with pytest.raises(Exception, match="only ever added to"), database.session() as session:
        session.execute(text(statement))


@pytest.mark.parametrize(
    "damage",
    [
        "update buttress_audit set actor = 'somebody else' where number = 2",
        "update buttress_audit set number = 99 where number = 2",
        "delete from buttress_audit where number = 1",
    ],
)
def test_a_log_that_was_changed_all_the_same_is_found_out(database, damage):
    with database.session() as session:
        audit.record(session, "one")
        head = audit.verify(session).head
        if database.backend.name == "postgresql":
            session.execute(text("alter table buttress_audit disable trigger all"))
        else:
            session.execute(text("drop trigger buttress_audit_no_update"))
            session.execute(text("drop trigger buttress_audit_no_delete"))
        assert audit.verify(session, head=head).broken_at is None
        session.execute(text(damage))
        session.expire_all()

        assert audit.verify(session).broken_at is not None


def test_a_log_cut_off_at_its_end_is_found_out_by_a_digest_kept_elsewhere(database):
    with database.session() as session:
        head = audit.verify(session).head
        last = session.scalars(select(AuditEntry).order_by(AuditEntry.number.desc())).first()
        if database.backend.name == "postgresql":
            session.execute(text("alter table buttress_audit disable trigger all"))
        else:
            session.execute(text("drop trigger buttress_audit_no_delete"))
        session.execute(text("delete from buttress_audit where number = :n"), {"n": last.number})

        assert audit.verify(session).broken_at is None
        assert audit.verify(session, head=head).broken_at is not None


def test_each_role_has_what_the_one_before_has():
    viewer, analyst, admin = (roles.permissions_of(role) for role in roles.ROLES)

    assert viewer < analyst < admin == set(roles.PERMISSIONS)
    assert roles.permissions_of("owner") == frozenset()
