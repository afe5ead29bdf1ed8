# SPDX-License-Identifier: MIT
"""A CA and the certificates that tests need, by the openssl program: P-256, since a key costs no time."""
import os
import subprocess


def _openssl(*args):
    done = subprocess.run(["openssl", *args], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {args[0]}: {done.stderr.strip()}")


class Certs:
    """Files of a folder: ca.pem, and for each name NAME.pem with NAME.key."""

    def __init__(self, folder):
        self.folder = folder
        self.ca = self._self_signed("ca", "test CA", "basicConstraints=critical,CA:TRUE")[0]

    def _path(self, name):
        return os.path.join(self.folder, name)

    def _self_signed(self, name, subject, extension):
        cert, key = self._path(name + ".pem"), self._path(name + ".key")
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                 "-subj", f"/CN={subject}", "-addext", extension, "-keyout", key, "-out", cert)
        return cert, key

    def self_signed(self, host):
        """(certificate, key) with the right name and nobody behind it."""
        return self._self_signed("self-" + host, host, f"subjectAltName=DNS:{host}")

    def issued(self, host):
        """(certificate, key) for `host`, signed by the CA."""
        cert, key = self._path(host + ".pem"), self._path(host + ".key")
        if os.path.exists(cert):
            return cert, key
        kind = "IP" if ":" in host or host.replace(".", "").isdigit() else "DNS"
        return self.signed(host, f"/CN={host}", f"subjectAltName={kind}:{host}")

    def signed(self, name, subject, *extensions):
        """(certificate, key) for `subject`, signed by the CA."""
        cert, key, csr, ext = (self._path(name + e) for e in (".pem", ".key", ".csr", ".ext"))
        with open(ext, "w") as f:
            f.writelines(line + "\n" for line in extensions)
        _openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                 "-subj", subject, "-keyout", key, "-out", csr)
        _openssl("x509", "-req", "-in", csr, "-CA", self.ca, "-CAkey", self._path("ca.key"), "-CAcreateserial",
                 "-days", "2", "-extfile", ext, "-out", cert)
        return cert, key

    def rsa_key(self, name):
        key = self._path(name + ".key")
        _openssl("genrsa", "-out", key, "2048")
        return key

    def rs256(self, key, data):
        """The signature of a JSON Web Token."""
        return subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=data, capture_output=True, check=True).stdout
