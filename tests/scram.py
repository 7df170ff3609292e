# SPDX-License-Identifier: Apache-2.0
"""A SCRAM-SHA-256 client of the tests' own (RFC 5802, RFC 7677), whose every part can be bent."""
import base64
import hashlib
import hmac
import os


def digest(key, text):
    return hmac.new(key, text, hashlib.sha256).digest()


class Scram:
    def __init__(self, user, password, flag="n", binding=b"", authzid="", nonce=None):
        self.password = password.encode()
        self.binding = binding
        self.gs2 = flag + "," + (f"a={self.name(authzid)}" if authzid else "") + ","
        self.nonce = nonce or base64.b64encode(os.urandom(18)).decode()
        self.bare = f"n={self.name(user)},r={self.nonce}"

    @staticmethod
    def name(text):
        return text.replace("=", "=3D").replace(",", "=2C")

    def first(self):
        return (self.gs2 + self.bare).encode()

    def final(self, server_first, nonce=None, cbind=None):
        server_first = server_first.decode()
        self.fields = dict(part.split("=", 1) for part in server_first.split(","))
        assert self.fields["r"].startswith(self.nonce) and len(self.fields["r"]) > len(self.nonce)
        salted = hashlib.pbkdf2_hmac("sha256", self.password,
                                     base64.b64decode(self.fields["s"]), int(self.fields["i"]))
        if cbind is None:
            cbind = self.gs2.encode() + self.binding
        without = f"c={base64.b64encode(cbind).decode()},r={nonce or self.fields['r']}"
        message = f"{self.bare},{server_first},{without}".encode()
        key = digest(salted, b"Client Key")
        stored = hashlib.sha256(key).digest()
        proof = bytes(a ^ b for a, b in zip(key, digest(stored, message)))
        self.signature = digest(digest(salted, b"Server Key"), message)
        return f"{without},p={base64.b64encode(proof).decode()}".encode()

    def is_server(self, server_final):
        return server_final == b"v=" + base64.b64encode(self.signature)
