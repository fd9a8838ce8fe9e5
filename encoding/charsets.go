package encoding

import (
	"fmt"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
)

// Lookup returns the Codec of a charset. Case, hyphens, underscores and spaces in the
// name do not matter, and common other names are known. An unknown name is an error that
// lists the known ones.
func Lookup(name string) (Codec, error) {
	if c, ok := find(name); ok {
		return c, nil
	}
	return Codec{}, fmt.Errorf("unknown charset %q: use one of %s", name, strings.Join(Names(), ", "))
}

// find is Lookup for names that may be missing.
func find(name string) (c Codec, ok bool) {
	if name == "" {
		return Codec{}, false
	}
	set, ok := byName()[normalise(name)]
	return Codec{set}, ok
}

// Names lists the charsets by the name that IANA prefers.
func Names() []string {
	names := make([]string, len(charsets))
	for i, k := range charsets {
		names[i] = k.set.name()
	}
	return names
}

// byName finds charsets by all their names, as normalise writes them.
//
//nolint:gochecknoglobals // constant
var byName = sync.OnceValue(func() map[string]charset {
	all := make(map[string]charset)
	for _, k := range charsets {
		all[normalise(k.set.name())] = k.set
		for _, alias := range k.aliases {
			all[alias] = k.set
		}
	}
	return all
})

func normalise(name string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("-_ .", r) {
			return -1
		}
		return unicode.ToLower(r)
	}, name)
}

type known struct {
	set     charset
	aliases []string // as normalise writes them
}

// charsets is every charset there is. It never changes; the tables of the multi-byte
// ones are built when they are first used.
//
//nolint:gochecknoglobals // constant, and a map of 20,000 characters is worth keeping
var charsets = []known{
	{unicodeSet{}, []string{"ascii", "usascii", "unicode11utf8"}},
	{newMultiByte("GB18030", simplifiedchinese.GB18030, 4, nil), []string{"gb180302000", "gb180302005"}},
	{newMultiByte("GBK", simplifiedchinese.GBK, 2, nil), []string{"cp936", "ms936", "windows936", "936", "gb2312", "euccn", "gb231280"}},
	{newMultiByte("Big5", traditionalchinese.Big5, 2, afterBig5), []string{"cp950", "ms950", "windows950", "950", "big5hkscs", "bigfive", "cnbig5"}},
	{newMultiByte("Shift_JIS", japanese.ShiftJIS, 2, afterIBM), []string{"sjis", "cp932", "ms932", "windows932", "windows31j", "932", "mskanji"}},
	{newMultiByte("EUC-JP", japanese.EUCJP, 3, nil), []string{"ujis", "cp51932", "eucjpms"}},
	{newMultiByte("EUC-KR", korean.EUCKR, 2, nil), []string{"cp949", "ms949", "windows949", "949", "uhc", "ksc5601", "ksc56011987", "korean"}},
	{newSingleByte("windows-1250", charmap.Windows1250), windows("1250")},
	{newSingleByte("windows-1251", charmap.Windows1251), windows("1251")},
	{newSingleByte("windows-1252", charmap.Windows1252), windows("1252")},
	{newSingleByte("windows-1253", charmap.Windows1253), windows("1253")},
	{newSingleByte("windows-1254", charmap.Windows1254), windows("1254")},
	{newSingleByte("windows-1255", charmap.Windows1255), windows("1255")},
	{newSingleByte("windows-1256", charmap.Windows1256), windows("1256")},
	{newSingleByte("windows-1257", charmap.Windows1257), windows("1257")},
	{newSingleByte("windows-1258", charmap.Windows1258), windows("1258")},
	{newSingleByte("windows-874", charmap.Windows874), append(windows("874"), "tis620", "iso885911", "thai")},
	{newSingleByte("ISO-8859-1", charmap.ISO8859_1), []string{"latin1", "l1", "88591"}},
	{newSingleByte("ISO-8859-2", charmap.ISO8859_2), []string{"latin2", "l2", "88592"}},
	{newSingleByte("ISO-8859-5", charmap.ISO8859_5), []string{"cyrillic", "88595"}},
	{newSingleByte("ISO-8859-6", charmap.ISO8859_6), []string{"arabic", "88596"}},
	{newSingleByte("ISO-8859-7", charmap.ISO8859_7), []string{"greek", "88597"}},
	{newSingleByte("ISO-8859-8", charmap.ISO8859_8), []string{"hebrew", "88598"}},
	{newSingleByte("ISO-8859-9", charmap.ISO8859_9), []string{"latin5", "l5", "88599"}},
	{newSingleByte("ISO-8859-15", charmap.ISO8859_15), []string{"latin9", "l9", "885915"}},
	{newSingleByte("KOI8-R", charmap.KOI8R), []string{"koi8"}},
	{newSingleByte("KOI8-U", charmap.KOI8U), []string{"koi8ru"}},
	{newSingleByte("IBM866", charmap.CodePage866), []string{"cp866", "dos866", "866"}},
}

// windows lists other names of a Windows code page.
func windows(number string) []string {
	return []string{"cp" + number, "win" + number, "ms" + number, number}
}
