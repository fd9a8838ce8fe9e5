package integration

import (
	"net/url"
	"strings"
	"testing"

	"github.com/spdscheme/spdserver/cluster"
	"github.com/spdscheme/spdserver/db"
)

// The rights that docs/security.md names are enough: for a node, once the tables are there,
// and for a front end that makes accounts.
func TestDocsRights(t *testing.T) {
	mysql := databases(t)[0]
	_, raw := mysql.open(t)
	u, err := url.Parse(mysql.dsn)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(u.Path, "/")
	for _, e := range examples(t, "docs/security.md", "") {
		if e.lang == "sql" {
			execAll(t, raw, e.with(t, "spd.", name+".", "spd_", name+"_"))
		}
	}

	front := openSQL(t, mysql.driver, name+"_accounts:change-me-too@tcp("+u.Host+")/"+name)
	execAll(t, front, `INSERT INTO users (username, password, bucket, prefix) VALUES ('alice', '{plain}secret', 'spd', 'alice/');
UPDATE users SET status = 'suspended' WHERE username = 'alice';
SELECT status FROM users;
`)
	if _, err := front.ExecContext(t.Context(), "DELETE FROM uploads"); err == nil {
		t.Error("the front end may do more")
	}

	u.User = url.UserPassword(name+"_node", "change-me")
	node, err := db.Open(t.Context(), u.String(), db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = node.Close() }() // nothing is lost
	if err := node.Migrate(t.Context()); err != nil {
		t.Errorf("there is nothing to migrate, but: %v", err)
	}
	if _, err := node.Beat(t.Context(), cluster.Beat{Node: cluster.Node{ID: "n", Name: "n"}}); err != nil {
		t.Error(err)
	}
	if _, err := node.Nodes(t.Context()); err != nil {
		t.Error(err)
	}
	if err := node.DeleteUser(t.Context(), "alice"); err != nil {
		t.Error(err)
	}
}
