# SPDX-License-Identifier: Apache-2.0
"""The access matrix (I11): every command of IMAP's table, by the owner of what it names, by another account, by nobody who
has logged in, and by who calls himself anonymous. Made from the table itself: a command without a row here fails.

Another account hears of somebody's mailbox what it hears of one that nobody has, word for word, and all its other answers are
the same whether the owner has mail or none. Who has not logged in hears the same of both, too."""
import pathlib
import re
import statistics
import time

import pytest

from harness import DOMAIN, ROOT, Culver
from hostile import Imap

MARK = b"Xylophone"  # in everything that alice has: names, subjects, keywords, annotations
HERS = MARK + b"Box"
NOBODYS = MARK + b"Bax"  # as long, and nobody has it

# For each command: what is said; {box} is the mailbox that the question is about, {inbox} the speaker's own. A row in ANY may be
# said by everybody, so its answer must be the same for all. A tuple is said in that order.
MATRIX = {
    "CAPABILITY": [""], "NOOP": [""], "LOGOUT": [""], "ID": ["NIL"],
    "STARTTLS": [""], "AUTHENTICATE": ["ANONYMOUS eA==", "PLAIN AGFub255bW91cwA="], "LOGIN": ["anonymous x", '"" ""'],
    "ENABLE": ["CONDSTORE", "QRESYNC"], "COMPRESS": ["GZIP"],
    "SELECT": ["{box}", "{box} (CONDSTORE)", "{box} (QRESYNC (1 1))"], "EXAMINE": ["{box}"],
    "CREATE": ["{box}/../x", "{box}//x"], "DELETE": ["{box}"], "RENAME": ["{box} Other", "{box}/x Other"],
    "SUBSCRIBE": ["{box}"], "UNSUBSCRIBE": ["{box}"],
    "LIST": ['"" *', '"" {box}', '"" "*" RETURN (STATUS (MESSAGES SIZE) CHILDREN SUBSCRIBED)', '(SUBSCRIBED) "" *', '{box}/ *'],
    "LSUB": ['"" *', '"" {box}'], "NAMESPACE": [""],
    "STATUS": ["{box} (MESSAGES UIDNEXT UNSEEN SIZE DELETED)", "{inbox} (MESSAGES UNSEEN SIZE)"],
    "APPEND": ["{box} {{1+}}\r\nx", "{box} (\\Seen) {{1+}}\r\nx", '{inbox} CATENATE (URL "/{box}/;UID=1")'],
    "GETMETADATA": ["{box} (/private/comment)", '"" (/shared/comment)'],
    "SETMETADATA": ["{box} (/private/comment \"mine\")"],
    "GETQUOTA": ['"{owner}"', '""'], "GETQUOTAROOT": ["{box}", "{inbox}"], "SETQUOTA": ['"{owner}" (STORAGE 1)', '"" (STORAGE 1)'],
    "IDLE": ["\r\nDONE"], "CHECK": [""], "CLOSE": [""], "UNSELECT": [""], "EXPUNGE": [""], "UID EXPUNGE": ["1:*"],
    "SEARCH": ["ALL", "TEXT " + MARK.decode(), "KEYWORD " + MARK.decode()], "SORT": ["(SUBJECT) UTF-8 ALL"],
    "THREAD": ["REFERENCES UTF-8 ALL"], "FETCH": ["1:* (FLAGS UID BODY.PEEK[])"], "STORE": ["1 +FLAGS (\\Seen)"],
    "COPY": ["1 {box}"], "MOVE": ["1 {box}"], "REPLACE": ["1 {box} {{1+}}\r\nx"], "UID REPLACE": ["* {box} {{1+}}\r\nx"],
    "NOTIFY": ["SET (personal (MessageNew MessageExpunge))", "SET (mailboxes {box} (MessageNew MessageExpunge))", "NONE"],
}
# What ends what the others need, or the connection: each with a session of its own.
ENDS = {"LOGOUT", "STARTTLS", "AUTHENTICATE", "LOGIN", "CLOSE", "UNSELECT", "SELECT", "EXAMINE", "DELETE", "COMPRESS", "MOVE", "NOTIFY"}


def table():
    """(name, is it behind UID, its states) of each row of session.c."""
    text = (pathlib.Path(ROOT) / "src/imap/session.c").read_text(encoding="utf-8")
    rows = re.findall(r'\{ STR_INIT\("([A-Z]+)"\), ([A-Z_]+), ([A-Z_0| ]+), imap_', text)
    assert len(rows) > 35
    for name, states, flags in rows:
        if "ONLY_UID" not in flags:
            yield name, name, states
        if "ONLY_UID" in flags or "HAS_UID" in flags:
            yield "UID " + name, name, states


def words(name, plain):
    """The rows of a command; its UID form has the plain form's unless it has its own."""
    return MATRIX.get(name) or MATRIX[plain]


def commands():
    for name, plain, states in table():
        for arguments in words(name, plain):
            yield name, plain, states, name + (" " if arguments[:1] not in ("", "\r") else "") + arguments


def test_every_command_has_a_row():
    lacking = [name for name, plain, _ in table() if name not in MATRIX and plain not in MATRIX]
    assert not lacking, f"commands without a row in the access matrix: {lacking}"
    assert set(MATRIX) <= {n for name, plain, _ in table() for n in (name, plain)} | {"NOTIFY"}


def said(c, line, box, owner="alice"):
    """All that is heard of a command, without the name that was asked for and without what is never the same."""
    text = line.format(box=box.decode(), inbox="INBOX", owner=f"{owner}@{DOMAIN}").encode()
    status = c.say(text)
    heard = b"\n".join(b"".join(pieces) for pieces in c.untagged) + b"\n" + (c.text if status else b"closed")
    assert MARK not in heard.replace(box, b"NAME"), (text, heard)
    heard = re.sub(rb"(UIDVALIDITY|HIGHESTMODSEQ|APPENDUID|COPYUID|UIDNEXT) [\d ]+", rb"\1 N", heard.replace(box, b"NAME"))
    return re.sub(rb"\(F[0-9a-f]+\)", b"(F)", heard)


def session(culver, user, selected=True):
    c = Imap(culver, user)
    if user and selected:
        assert c.say(b"SELECT INBOX") == b"OK"
    return c


def battery(culver, user, box):
    """Every command once; what was heard, by command."""
    heard = {}
    c = session(culver, user)
    for name, plain, _, line in commands():
        if plain in ENDS:
            with session(culver, user) as own:
                heard[line] = said(own, line, box)
        else:
            heard[line] = said(c, line, box)
    c.close()
    return heard


def furnish(culver):
    """What alice has."""
    with Imap(culver, "alice") as c:
        for command in (b"CREATE " + HERS, b"CREATE " + HERS + b"/x", b"SUBSCRIBE " + HERS,
                        b"SETMETADATA " + HERS + b' (/private/comment "' + MARK + b'")',
                        b'SETMETADATA "" (/shared/comment "' + MARK + b'")'):
            assert c.say(command) == b"OK", c.text
        text = b"Subject: " + MARK + b"\r\n\r\n" + MARK + b"\r\n"
        for name in (b"INBOX", HERS, HERS):
            assert c.say(b"APPEND %s (\\Flagged %s) {%d+}\r\n" % (name, MARK, len(text)) + text) == b"OK"


@pytest.fixture(scope="module")
def culver():
    with Culver(accounts=("alice", "bob", "carol", "dave")) as c:
        for name in ("bob", "carol", "dave"):
            with Imap(c, name) as s:
                assert s.say(b"APPEND INBOX {1+}\r\nx") == b"OK"
        c.before = battery(c, "carol", HERS)  # while alice has nothing
        furnish(c)
        yield c


def test_the_owner_is_obeyed(culver):
    """So the matrix is not one of mistakes: who owns it gets an answer from every command that may be given."""
    refused = []
    for name, plain, states, line in commands():
        if "NOT_AUTHENTICATED" in states or "//" in line or "/../" in line or plain in ("COMPRESS", "SETQUOTA", "NOTIFY", "DELETE", "RENAME"):
            continue
        with Imap(culver, "alice") as c:
            assert c.say(b"SELECT INBOX") == b"OK"
            status = c.say(line.format(box=HERS.decode(), inbox="INBOX", owner=f"alice@{DOMAIN}").encode())
            if status != b"OK" and not (plain in ("GETQUOTA", "SELECT")):
                refused.append((line, c.text))
            if plain in ("MOVE", "REPLACE"):  # it needs a message again
                c.say(b"APPEND INBOX {1+}\r\nx")
    assert not refused


def test_another_hears_of_hers_what_it_hears_of_nobodys(culver):
    """{box} is alice's, or nobody's."""
    hers, nobodys = battery(culver, "bob", HERS), battery(culver, "dave", NOBODYS)
    for line, heard in hers.items():
        # dave's address is not bob's
        assert heard.replace(b"bob@", b"dave@") == nobodys[line], line


def test_another_hears_the_same_whatever_she_has(culver):
    """carol's answers from before alice had anything are those of bob's from after it."""
    with Culver(accounts=("alice", "carol")) as other:  # the same state: one message, nothing else was said before
        with Imap(other, "carol") as s:
            assert s.say(b"APPEND INBOX {1+}\r\nx") == b"OK"
        furnish(other)
        after = battery(other, "carol", HERS)
    for line, heard in culver.before.items():
        assert heard == after[line], line


@pytest.mark.parametrize("anonymous", [None, b"AUTHENTICATE ANONYMOUS eA==", b"LOGIN anonymous anonymous", b'LOGIN "" ""'])
def test_who_has_not_logged_in_hears_nothing(culver, anonymous):
    for name, plain, states, line in commands():
        if "ANY" in states or "NOT_AUTHENTICATED" in states:
            continue
        heard = []
        for box in (HERS, NOBODYS):
            with Imap(culver, None) as c:
                if anonymous and line in ("SELECT {box}", "LIST \"\" *"):  # a refusal takes a second
                    assert c.say(anonymous) in (b"NO", b"BAD"), c.text
                heard.append(said(c, line, box))
                assert heard[-1].strip().split(b"\n")[-1].startswith(b"x BAD"), (line, heard[-1])
        assert heard[0] == heard[1], line
        if anonymous and plain == "STATUS":
            return


def test_no_time_tells_whether_it_is_there(culver):
    """STATUS of alice's mailbox takes bob as long as of nobody's; measured in turns, the middle of 400 each."""
    took = {HERS: [], NOBODYS: []}
    with Imap(culver, "bob") as c:
        for _ in range(400):
            for box, times in took.items():
                begun = time.perf_counter()
                assert c.say(b"STATUS " + box + b" (MESSAGES)") == b"NO"
                times.append(time.perf_counter() - begun)
    hers, nobodys = (statistics.median(t) for t in took.values())
    print(f"hers {hers * 1e6:.0f} us, nobody's {nobodys * 1e6:.0f} us")
    assert abs(hers - nobodys) < max(0.25 * nobodys, 30e-6)
