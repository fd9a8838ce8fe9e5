package main

import "github.com/spdscheme/spdserver/encoding/internal/lm"

// language is one model to make and the files it is made from.
type language struct {
	name    string
	script  lm.Script
	locales []string // of translations
	lists   []list
	letters string  // of the alphabet, besides those that are frequent
	room    int     // pairs of an East Asian language
	foreign float64 // share of foreign words in which any of its characters is as likely as another
}

// list is a file of words.
type list struct {
	path   string
	format format
}

type format int

const (
	hunspell  format = iota // word/flags, after a line with their number; in the charset of the .aff file beside
	plain                   // a word a line
	jieba                   // word frequency part-of-speech
	frequency               // word, tabulator, frequency
	mecab                   // comma-separated, in EUC-JP; the word is the first column
)

// translations are the catalogues that languages are learnt from, by the end of their
// paths. Left out are those that list countries, places and languages, and those of file
// managers: names like these are for tests.
//
//nolint:gochecknoglobals // constant
var translations = []string{
	"libreoffice", // all of its catalogues but svt.mo, a list of languages
	"gimp20.mo", "gimp20-std-plug-ins.mo", "gimp20-python.mo", "gimp20-libgimp.mo", "gimp20-script-fu.mo",
	"evolution.mo", "gnucash.mo", "aptitude.mo", "pidgin.mo",
	"krita.mo", "digikam.mo", "darktable.mo", "audacity.mo",
	"wesnoth", // stories, with names of people
}

const dictionaries = "usr/share/hunspell/"

func words(files ...string) (lists []list) {
	for _, f := range files {
		lists = append(lists, list{dictionaries + f, hunspell})
	}
	return lists
}

// languages lists the models to make.
//
//nolint:gochecknoglobals // constant
var languages = []language{
	{name: "en", script: lm.Latin, locales: []string{"en_GB"}, letters: "éèêïñ", lists: []list{{"usr/share/dict/american-english", plain}}},
	{name: "de", script: lm.Latin, locales: []string{"de"}, letters: "äöüß", lists: words("de_DE.dic")},
	{name: "fr", script: lm.Latin, locales: []string{"fr"}, letters: "àâæçèéêëîïôùûüÿœ", lists: words("fr.dic")},
	{name: "es", script: lm.Latin, locales: []string{"es"}, letters: "áéíñóúü", lists: words("es_ES.dic")},
	{name: "pt", script: lm.Latin, locales: []string{"pt", "pt_BR"}, letters: "àáâãçéêíóôõúü", lists: words("pt_PT.dic", "pt_BR.dic")},
	{name: "it", script: lm.Latin, locales: []string{"it"}, letters: "àèéìîòóù", lists: words("it_IT.dic")},
	{name: "sv", script: lm.Latin, locales: []string{"sv"}, letters: "åäöé", lists: words("sv_SE.dic")},
	{name: "da", script: lm.Latin, locales: []string{"da"}, letters: "æøåé", lists: words("da_DK.dic")},
	{name: "nb", script: lm.Latin, locales: []string{"nb"}, letters: "æøåéòô", lists: words("nb_NO.dic")},
	{name: "fi", script: lm.Latin, locales: []string{"fi"}, letters: "åäöšž"},
	{name: "nl", script: lm.Latin, locales: []string{"nl"}, letters: "éëïóöüèê", lists: words("nl.dic")},
	{name: "pl", script: lm.Latin, locales: []string{"pl"}, letters: "ąćęłńóśźż", lists: words("pl_PL.dic")},
	{name: "cs", script: lm.Latin, locales: []string{"cs"}, letters: "áčďéěíňóřšťúůýž", lists: words("cs_CZ.dic")},
	{name: "sk", script: lm.Latin, locales: []string{"sk"}, letters: "áäčďéíĺľňóôŕšťúýž", lists: words("sk_SK.dic")},
	{name: "sl", script: lm.Latin, locales: []string{"sl"}, letters: "čšžćđ"},
	{name: "hu", script: lm.Latin, locales: []string{"hu"}, letters: "áéíóöőúüű", lists: words("hu_HU.dic")},
	{name: "ro", script: lm.Latin, locales: []string{"ro"}, letters: "ăâîşţ", lists: words("ro_RO.dic")},
	{name: "hr", script: lm.Latin, locales: []string{"hr"}, letters: "čćđšž", lists: words("hr_HR.dic")},
	{name: "tr", script: lm.Latin, locales: []string{"tr"}, letters: "çğıöşüâîû", lists: words("tr_TR.dic")},
	{name: "lt", script: lm.Latin, locales: []string{"lt"}, letters: "ąčęėįšųūž", lists: words("lt_LT.dic")},
	{name: "lv", script: lm.Latin, locales: []string{"lv"}, letters: "āčēģīķļņšūž", lists: words("lv_LV.dic")},
	{name: "et", script: lm.Latin, locales: []string{"et"}, letters: "äõöüšž", lists: words("et_EE.dic")},
	{name: "ru", script: lm.Cyrillic, locales: []string{"ru"}, lists: words("ru_RU.dic")},
	{name: "uk", script: lm.Cyrillic, locales: []string{"uk"}, lists: words("uk_UA.dic")},
	{name: "bg", script: lm.Cyrillic, locales: []string{"bg"}, lists: words("bg_BG.dic")},
	{name: "el", script: lm.Greek, locales: []string{"el"}, lists: words("el_GR.dic")},
	{name: "he", script: lm.Hebrew, locales: []string{"he"}, letters: "׳״־", lists: words("he_IL.dic")},
	{name: "ar", script: lm.Arabic, locales: []string{"ar"}, lists: words("ar.dic")},
	{name: "fa", script: lm.Arabic, locales: []string{"fa"}, lists: words("fa_IR.dic")},
	{name: "th", script: lm.Thai, locales: []string{"th"}, lists: words("th_TH.dic")},
	{name: "zh-CN", script: lm.EastAsian, locales: []string{"zh_CN"}, room: 96_000, lists: []list{
		{"usr/lib/python3/dist-packages/jieba/dict.txt", jieba},
	}},
	{name: "zh-TW", script: lm.EastAsian, locales: []string{"zh_TW"}, room: 76_000, lists: []list{
		{"usr/share/rime-data/essay.txt", frequency},
	}},
	{name: "ja", script: lm.EastAsian, locales: []string{"ja"}, room: 81_000, lists: ipadic(
		"Noun", "Noun.verbal", "Noun.adjv", "Noun.adverbal", "Noun.proper", "Noun.org", "Noun.name", "Noun.others", "Verb", "Adj", "Adverb", "Suffix", "Prefix",
	)},
	{name: "ko", script: lm.EastAsian, locales: []string{"ko"}, room: 43_000, foreign: 0.3, lists: words("ko.dic")},
}

// ipadic lists files of mecab-ipadic; places are left out.
func ipadic(parts ...string) (lists []list) {
	for _, p := range parts {
		lists = append(lists, list{"usr/share/mecab/dic/ipadic/" + p + ".csv", mecab})
	}
	return lists
}
