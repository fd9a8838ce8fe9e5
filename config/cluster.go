package config

import (
	"strings"
	"unicode/utf8"
)

// Cluster is the node among others of the same database.
type Cluster struct {
	Node string `koanf:"node"` // name; "": the host's
}

// maxNodeName is the width of the column that holds it, in characters.
const maxNodeName = 190

func (ck *checker) cluster(c Cluster) {
	ck.require(utf8.RuneCountInString(c.Node) <= maxNodeName && !strings.ContainsFunc(c.Node, control), "cluster.node",
		"is no name: write up to %d characters, without control characters", maxNodeName)
}
