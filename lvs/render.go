package lvs

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"text/template"
)

// File is one file of a machine.
type File struct {
	Path string // on that machine, without the leading slash
	Mode fs.FileMode
	Data []byte
}

const (
	plain      fs.FileMode = 0o644
	executable fs.FileMode = 0o755
)

// notice begins every file.
const notice = `Written by "spdserver lvs render". Change cluster.yaml instead, and render again.`

// Files returns the files of each machine, by its name.
func (c *Cluster) Files() map[string][]File {
	files := make(map[string][]File)
	for _, d := range c.Directors {
		files[d.Name] = c.directorFiles(d)
	}
	for _, n := range c.Nodes {
		files[n.Name] = c.nodeFiles(n)
	}
	return files
}

func (c *Cluster) directorFiles(d Director) []File {
	files := []File{
		{"etc/keepalived/keepalived.conf", plain, c.keepalivedConf(d)},
		{"etc/modprobe.d/spd-lvs.conf", plain, execute("modprobe.conf", map[string]any{"Notice": notice})},
		{sysctlFile, plain, sysctlConf(c.directorSysctls(d))},
		{"etc/spd-lvs/setup", executable, c.setup("director-setup", d.Host)},
		{"etc/systemd/system/spd-lvs.service", plain, c.setupUnit("packet marks and kernel settings of a director", "keepalived.service")},
		{"etc/systemd/system/keepalived.service.d/spd.conf", plain, c.setup("keepalived.service.d", d.Host)},
	}
	return append(files, c.ruleFiles(d.Firewall, c.markRules())...)
}

func (c *Cluster) nodeFiles(n Node) []File {
	files := []File{
		{"etc/spd/node.env", plain, c.nodeEnv(n)},
		{sysctlFile, plain, sysctlConf(c.nodeSysctls(n))},
		{"etc/spd-lvs/setup", executable, c.setup("node-setup", n.Host)},
		{"etc/systemd/system/spd-lvs.service", plain, c.setupUnit("virtual address and kernel settings of a node", "spdserver.service")},
		{"etc/systemd/system/spdserver.service.d/cluster.conf", plain, c.setup("spdserver.service.d", n.Host)},
	}
	return append(files, c.ruleFiles(n.Firewall, c.snatRules(n))...)
}

// setup executes a template that needs to know the host and the cluster.
func (c *Cluster) setup(name string, h Host) []byte {
	return execute(name, struct {
		*Cluster
		Notice, HandOver string
		Sysctl           string
		Host             Host
		Families         []string
		NFTables         bool
	}{
		Cluster: c, Notice: notice, HandOver: handOver, Sysctl: sysctlFile, Host: h,
		Families: c.familyNames(), NFTables: h.Firewall == NFTables,
	})
}

func (c *Cluster) setupUnit(does, before string) []byte {
	return execute("spd-lvs.service", map[string]any{"Notice": notice, "Does": does, "Before": before})
}

// nodeEnv is what makes a node of the cluster from a spd.yaml that all nodes share.
func (c *Cluster) nodeEnv(n Node) []byte {
	return execute("node.env", map[string]any{
		"Notice": notice, "Node": n, "Admin": n.Main(), "AdminPort": c.AdminPort, "Ports": c.passivePorts(n).String(),
	})
}

// passivePorts is a node's ftp.passive_ports. With persistence all nodes may use all ports.
func (c *Cluster) passivePorts(n Node) PortRange {
	if c.Variant == Persistence {
		return c.hull()
	}
	return n.Ports
}

func (c *Cluster) familyNames() []string {
	var names []string
	for _, f := range c.families() {
		names = append(names, f.Name)
	}
	return names
}

//go:embed templates
var templates embed.FS

// execute fills in a template. Both are ours, so it cannot fail but by a mistake in them.
func execute(name string, data any) []byte {
	t, err := template.ParseFS(templates, "templates/"+name)
	if err != nil {
		panic(fmt.Sprintf("template %s: %v", name, err))
	}
	var out bytes.Buffer
	if err := t.Execute(&out, data); err != nil {
		panic(fmt.Sprintf("template %s: %v", name, err))
	}
	return out.Bytes()
}
