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
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "60",
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

    def signed(self, name, subject, *extensions, days=30):
        """(certificate, key) for `subject`, signed by the CA."""
        cert, key, csr = self._request(name, subject, extensions)
        _openssl("x509", "-req", "-in", csr, "-CA", self.ca, "-CAkey", self._path("ca.key"), "-CAcreateserial",
                 "-days", str(days), "-extfile", self._path(name + ".ext"), "-out", cert)
        return cert, key

    def expired(self, host):
        """(certificate, key) for `host`, which was good in January 2020: only `openssl ca` can make one."""
        name = "expired-" + host
        cert, key, csr = self._request(name, f"/CN={host}", [f"subjectAltName=DNS:{host}"])
        with open(self._path("ca.conf"), "w") as f:
            f.write(f"[ca]\ndefault_ca = this\n[this]\ndatabase = {self._path('ca.index')}\nserial = {self._path('ca.number')}\n"
                    f"new_certs_dir = {self.folder}\ndefault_md = sha256\npolicy = any\n[any]\ncommonName = supplied\n")
        open(self._path("ca.index"), "w").close()
        with open(self._path("ca.number"), "w") as f:
            f.write("1000\n")
        _openssl("ca", "-batch", "-config", self._path("ca.conf"), "-in", csr, "-cert", self.ca, "-keyfile",
                 self._path("ca.key"), "-startdate", "20200101000000Z", "-enddate", "20200201000000Z", "-extfile",
                 self._path(name + ".ext"), "-out", cert, "-notext")
        return cert, key

    def _request(self, name, subject, extensions):
        cert, key, csr, ext = (self._path(name + e) for e in (".pem", ".key", ".csr", ".ext"))
        with open(ext, "w") as f:
            f.writelines(line + "\n" for line in extensions)
        _openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                 "-subj", subject, "-keyout", key, "-out", csr)
        return cert, key, csr

    def rsa_key(self, name):
        key = self._path(name + ".key")
        _openssl("genrsa", "-out", key, "2048")
        return key

    def rs256(self, key, data):
        """The signature of a JSON Web Token."""
        return subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=data, capture_output=True, check=True).stdout
