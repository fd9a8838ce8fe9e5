package server

import "strings"

// doFeat lists the extensions (RFC 2389, 3): those that work here, and no others.
func (s *session) doFeat(command) {
	s.reply("211-Features:\r\n %s\r\n211 End", strings.Join(s.features(), "\r\n "))
}

func (s *session) features() []string {
	var list []string
	if s.server.TLS != nil {
		list = append(list, "AUTH TLS", "PBSZ", "PROT")
	}
	if s.server.ActiveMode {
		list = append(list, "EPRT")
	}
	return append(list, "AVBL", "CLNT", "EPSV", s.hashFeature(), "HOST", "LANG EN*", "MD5", "MDTM", "MFF Modify;", "MFMT",
		s.factsFeature(), "REST STREAM", "SIZE", "TVFS", "UTF8",
		"XCRC", "XMD5", "XSHA", "XSHA1", "XSHA256", "XSHA512")
}
