package server_test

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"testing"
)

func TestHash(t *testing.T) {
	c := newRig(t, nil).login("alice")
	const text = "hello!"
	for _, name := range []string{"f", "f 1", `a "b" c`, `"q"`, "with space"} {
		c.put("226", "STOR "+name, []byte(text+name))
	}
	c.do("257", "MKD dir")
	crc := func(s string) string { return fmt.Sprintf("250 %08x", crc32.ChecksumIEEE([]byte(s))) }
	sum := sha256.Sum256([]byte("hello!f"))
	old := md5.Sum([]byte("hello!f"))
	for _, e := range []exchange{
		{"213 SHA-256 0-7 " + hex.EncodeToString(sum[:]) + " f", "HASH f"}, {"213 SHA-256 0-7 " + hex.EncodeToString(sum[:]) + " f", `HASH "f"`},
		{"200 MD5", "opts hash md5"}, {"213 MD5 0-7 " + hex.EncodeToString(old[:]) + " f", "HASH f"},
		{"213 MD5 0-9 ", "HASH f 1"}, {"550", "HASH f 0 3"}, {"553", "HASH dir"}, {"553", "HASH /"}, {"550", "HASH missing"}, {"501", "HASH"},
		{crc("hello!f"), "XCRC f"}, {crc("hello!f 1"), "XCRC f 1"}, {crc("hel"), "XCRC f 0 3"}, {crc("ello!f"), `XCRC "f" 1`}, {crc("llo!f"), "XCRC f 2"},
		{crc("ello!f"), "XCRC f 1 7"}, {crc(`hello!a "b" c`), `XCRC a "b" c`}, {crc(`ello!a "b"`), `XCRC "a ""b"" c" 1 11`},
		{crc(`hello!"q"`), `XCRC "q"`}, {crc(`hello!"q"`), `XCRC """q"""`}, {crc("with"[:0] + "hello!with space"), "XCRC with space"},
		{crc("ell"), "XCRC with space 1 4"}, {crc("hello!f"), "XCRC f 0 100"}, {crc(""), "XCRC f 7"}, {crc(""), "XCRC f 3 3"},
		{"501", "XCRC f 100 200"}, {"501", "XCRC f 8"}, {"501", "XCRC f 3 2"}, {"501", "XCRC f -1 2"}, {"501", `XCRC "f" x y`}, {"501", `XCRC "f" 0 99999999999999999999`},
		{"550", "XCRC dir"}, {"550", "XMD5 /"}, {"550", "XSHA512 missing"}, {"550", "XCRC missing 1 2"}, {"550", `XCRC "f`}, {"550", `XCRC "f" 1 2 3`},
		{"550", "HASH \"a\r\x00b"}, {"501", "XCRC \"f\" \"\r\x00\""},
		{"250 " + hex.EncodeToString(old[:]), "XMD5 f"}, {"251 f " + hex.EncodeToString(old[:]), "MD5 f"}, {"250 " + hex.EncodeToString(sum[:]), "XSHA256 f"},
	} {
		c.talk(e)
	}
}
