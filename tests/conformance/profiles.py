# SPDX-License-Identifier: Apache-2.0
"""What a server may do that would be a contradiction of another: by name, with the reason. Culver has no entry."""

PROFILES = {
    "culver": {},
    "dovecot": {
        "serverbug": "A mailbox that is renamed or deleted beside a command gives NO [SERVERBUG] now and then.",
        "rename-closes": "RENAME of a mailbox that somebody has selected ends his session with BYE.",
        "no-codes": "\"Mailbox was deleted under us\" and what else goes wrong when a mailbox is renamed or deleted beside a "
                    "command have no response code.",
        "modseq-in-parts": "Of two changes with one modseq the second is told behind the tagged reply that a client takes the "
                           "first one's modseq from (RFC 7162 6).",
        "move-examined": "MOVE after EXAMINE moves (a bug: RFC 9051 6.3.3).",
        "no-rename-inbox": "RENAME INBOX moves the folder on disk: who has it selected is told that its state is "
                           "inconsistent, and leaves.",
        "status-selected": "STATUS of the selected mailbox says what the session knows, not what there is.",
        "store-examined": "STORE after EXAMINE is OK and does nothing; or NO without a code.",
        "expunge-examined": "EXPUNGE after EXAMINE is OK and does nothing.",
        "no-pipelining": "An APPEND's reply waits for its sync while the next command runs and answers: whose an untagged "
                         "response is can't be told.",
    },
}
