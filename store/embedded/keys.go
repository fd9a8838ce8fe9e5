package embedded

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// keys let their holder use the service. They are made at the first start.
type keys struct {
	Access string `json:"access_key"`
	Secret string `json:"secret_key"`
}

// loadKeys reads the keys from a file that only its owner can read, or makes both.
func loadKeys(path string) (keys, error) {
	var k keys
	data, err := os.ReadFile(path) // #nosec G304 -- the administrator's directory
	if errors.Is(err, fs.ErrNotExist) {
		k = keys{Access: "spd" + rand.Text()[:13], Secret: rand.Text() + rand.Text()}
		return k, saveKeys(path, k)
	}
	if err != nil {
		return k, fmt.Errorf("read keys: %w", err)
	}
	if err := json.Unmarshal(data, &k); err != nil || k.Access == "" || k.Secret == "" {
		return k, fmt.Errorf("read keys: %s is damaged; remove it to make new keys", path)
	}
	return k, nil
}

// saveKeys writes the file whole or not at all.
func saveKeys(path string, k keys) error {
	data, err := json.Marshal(k) //nolint:gosec // this is where the keys are kept, with mode 0600
	if err != nil {
		return fmt.Errorf("save keys: %w", err)
	}
	if err := os.WriteFile(path+".new", append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("save keys: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("save keys: %w", err)
	}
	return nil
}
