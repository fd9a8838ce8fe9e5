package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// file adds the settings of the YAML file at path. It returns false if the file could
// not be read as a whole.
//
// Values are taken as they are written, not as YAML would type them: min_version 1.2 is
// no float, and the secret 0123 is not 83.
func (l *loader) file(path string) bool {
	if path == "" {
		return true
	}
	root, err := parse(path)
	if err != nil {
		l.problems = append(l.problems, Problem{Where: path, Text: err.Error()})
		return false
	}
	texts := make(map[string]any)
	l.document(filepath.Base(path), root, texts)
	l.set(texts)
	return true
}

// parse reads a file of at most one YAML document. The root of an empty one is nil.
func parse(path string) (*yaml.Node, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		if cause := new(fs.PathError); errors.As(err, &cause) {
			err = cause.Err // the path is in the Problem
		}
		return nil, fmt.Errorf("cannot read the file: %w", err)
	}
	var doc, rest yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	if err := decoder.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("not YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := decoder.Decode(&rest); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one YAML document: keep one, without lines of ---")
	}
	return doc.Content[0], nil
}

// document collects what the sections of a document set.
func (l *loader) document(name string, root *yaml.Node, texts map[string]any) {
	if root == nil || root.Tag == "!!null" {
		return
	}
	if root.Kind != yaml.MappingNode {
		l.problems = append(l.problems, Problem{Where: at(name, root),
			Text: "write sections and keys, as in \"ftp: {listen: ':21'}\""})
		return
	}
	for key, value := range pairs(root) {
		switch {
		case value.Kind == yaml.MappingNode && l.isSection(key.Value):
			l.keys(name, key.Value, value, texts)
		case value.Tag == "!!null" && l.isSection(key.Value):
			// a section without keys
		case l.isSection(key.Value):
			l.problems = append(l.problems, Problem{Key: key.Value, Where: at(name, key),
				Text: "is a section: write its keys below it, indented"})
		default:
			l.known(key.Value, at(name, key))
		}
	}
}

// keys collects what one section sets. A key without a value keeps its default.
func (l *loader) keys(name, section string, node *yaml.Node, texts map[string]any) {
	for k, value := range pairs(node) {
		key, where := section+"."+k.Value, at(name, k)
		_, twice := texts[key]
		switch {
		case !l.known(key, where) || value.Tag == "!!null":
		case twice:
			l.report(key, "is set twice in the file: keep one")
		case value.Kind == yaml.ScalarNode:
			texts[key] = value.Value
		case value.Kind == yaml.SequenceNode && l.takesList(key) && !slices.ContainsFunc(value.Content, notScalar):
			texts[key] = joined(value.Content)
		case l.takesList(key):
			l.report(key, "takes one value or a list of values, not more keys")
		default:
			l.report(key, "takes one value, not a list or more keys")
		}
	}
}

// takesList tells whether a key may have a list of values. In text they are parted by
// commas.
func (l *loader) takesList(key string) bool {
	i := slices.IndexFunc(l.settings, func(s setting) bool { return s.key == key })
	return i >= 0 && l.settings[i].field.Kind() == reflect.Slice
}

func notScalar(n *yaml.Node) bool { return n.Kind != yaml.ScalarNode }

func joined(values []*yaml.Node) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = v.Value
	}
	return strings.Join(texts, ", ")
}

func (l *loader) isSection(name string) bool { return slices.Contains(sections(l.settings), name) }

// pairs ranges over the keys and values of a mapping, aliases followed.
func pairs(mapping *yaml.Node) func(yield func(key, value *yaml.Node) bool) {
	return func(yield func(key, value *yaml.Node) bool) {
		for i := 0; i+1 < len(mapping.Content); i += 2 {
			key, value := mapping.Content[i], mapping.Content[i+1]
			if value.Kind == yaml.AliasNode {
				value = value.Alias
			}
			if !yield(key, value) {
				return
			}
		}
	}
}

func at(name string, n *yaml.Node) string { return fmt.Sprintf("%s:%d", name, n.Line) }
