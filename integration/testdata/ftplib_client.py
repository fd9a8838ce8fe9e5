"""Checks of a server by Python's ftplib, each a function. Usage:

    ftplib_client.py CHECK HOST PORT [CA-FILE]

The account is alice, password "secret". With a CA file, all is done over TLS.
"""

import ftplib
import io
import ssl
import sys


def connect():
    host, port = sys.argv[2], int(sys.argv[3])
    if len(sys.argv) > 4:
        context = ssl.create_default_context(cafile=sys.argv[4])
        ftp = ftplib.FTP_TLS(context=context, timeout=60)
    else:
        ftp = ftplib.FTP(timeout=60)
    ftp.connect(host, port)
    ftp.login("alice", "secret")
    if len(sys.argv) > 4:
        ftp.prot_p()
    return ftp


def put(ftp, name, data, **kwargs):
    ftp.storbinary("STOR " + name, io.BytesIO(data), **kwargs)


def get(ftp, name, **kwargs):
    received = io.BytesIO()
    ftp.retrbinary("RETR " + name, received.write, **kwargs)
    return received.getvalue()


def refused(code, call, *args):
    try:
        call(*args)
    except (ftplib.error_perm, ftplib.error_temp) as err:
        assert str(err).startswith(code), err
    else:
        raise AssertionError("not refused")


def both_ways(ftp):
    data = bytes(range(256)) * 10_000
    put(ftp, "f", data)
    assert get(ftp, "f") == data
    assert ftp.size("f") == len(data)
    ftp.storlines("STOR lines", io.BytesIO(b"one\ntwo\n"))
    lines = []
    ftp.retrlines("RETR lines", lines.append)
    assert lines == ["one", "two"], lines
    ftp.voidcmd("TYPE I")
    assert get(ftp, "lines") == b"one\ntwo\n"


def active(ftp):
    ftp.set_pasv(False)
    both_ways(ftp)
    assert ftp.nlst() == ["f", "lines"]


def machine_listings(ftp):
    ftp.mkd("dir")
    put(ftp, "file", b"hello")
    ftp.sendcmd("MFMT 20200102030405 file")
    entries = {name: facts for name, facts in ftp.mlsd() if name not in (".", "..")}
    assert sorted(entries) == ["dir", "file"], entries
    assert entries["file"]["type"] == "file" and entries["dir"]["type"] == "dir", entries
    assert entries["file"]["size"] == "5", entries
    assert entries["file"]["modify"].startswith("20200102030405"), entries
    assert {"perm", "unique", "unix.mode"} <= set(entries["file"]), entries
    for facts in (["type", "size"], ["modify"], ["type", "size", "modify", "perm", "unique"]):
        entries = dict(ftp.mlsd("/", facts))
        assert set(entries["file"]) == set(facts), (facts, entries)
        assert "file" in entries and "dir" in entries, entries
    assert list(name for name, _ in ftp.mlsd("dir")) in ([], [".", ".."], ["."])
    refused("5", list, ftp.mlsd("missing"))


def names(ftp):
    for name in ("a.txt", "b.txt", "c.dat", "Grüße.txt"):
        put(ftp, name, b"x")
    assert ftp.nlst() == ["Grüße.txt", "a.txt", "b.txt", "c.dat"], ftp.nlst()
    assert sorted(ftp.nlst("*.txt")) == ["Grüße.txt", "a.txt", "b.txt"], ftp.nlst("*.txt")
    assert ftp.nlst("?.dat") == ["c.dat"]
    refused("550", ftp.nlst, "*.none")
    lines = []
    ftp.dir("*.dat", lines.append)
    assert len(lines) == 1 and lines[0].endswith(" c.dat"), lines
    lines.clear()
    ftp.dir("-a", lines.append)
    assert len(lines) >= 4, lines


def resumed(ftp):
    data = bytes(range(256)) * 10_000
    put(ftp, "f", data[:1_000_000])
    put(ftp, "f", data[1_000_000:], rest=1_000_000)
    assert get(ftp, "f") == data
    assert get(ftp, "f", rest=2_000_000) == data[2_000_000:]
    assert get(ftp, "f") == data
    ftp.storbinary("APPE f", io.BytesIO(b"more"))
    assert get(ftp, "f") == data + b"more"


def abort_of_download(ftp):
    put(ftp, "large", bytes(50_000_000))
    conn = ftp.transfercmd("RETR large")
    assert conn.recv(8192)
    abort(ftp)
    conn.close()
    assert ftp.pwd() == "/"
    assert ftp.size("large") == 50_000_000


def abort_of_upload(ftp):
    put(ftp, "kept", b"old")
    for name in ("new", "kept"):
        conn = ftp.transfercmd("STOR " + name)
        conn.sendall(bytes(1_000_000))
        abort(ftp)
        conn.close()
        assert ftp.pwd() == "/"
    refused("550", ftp.size, "new")
    assert get(ftp, "kept") == b"old"


def abort(ftp):
    """ABOR as urgent data; ftplib reads the first of the two replies."""
    reply = ftp.abort()
    assert reply.startswith("426"), reply
    reply = ftp.voidresp()
    assert reply.startswith("226"), reply


def abort_without_transfer(ftp):
    reply = ftp.abort()
    assert reply[:3] in ("225", "226"), reply
    assert ftp.pwd() == "/"


def folders_and_names(ftp):
    assert ftp.mkd('say "hi"') == '/say "hi"'
    ftp.cwd('say "hi"')
    assert ftp.pwd() == '/say "hi"', ftp.pwd()
    put(ftp, "f", b"x")
    ftp.rename("f", "../g")
    ftp.cwd("..")
    refused("550", ftp.cwd, "g")
    ftp.rmd('say "hi"')
    ftp.delete("g")
    refused("550", ftp.delete, "g")
    assert ftp.nlst() == []


def unique_names(ftp):
    conn = ftp.transfercmd("STOU")
    conn.sendall(b"hello")
    if hasattr(conn, "unwrap"):
        conn.unwrap()
    conn.close()
    reply = ftp.voidresp()
    (name,) = ftp.nlst()
    assert name in reply, reply
    assert get(ftp, name) == b"hello"


def clear_again(ftp):
    ftp.prot_c()
    put(ftp, "f", b"x")
    ftp.prot_p()
    assert get(ftp, "f") == b"x"


def main():
    ftp = connect()
    globals()[sys.argv[1]](ftp)
    assert ftp.quit().startswith("221")


main()
