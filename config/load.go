package config

import (
	"strings"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/v2"
)

// envPrefix begins the names of all variables that are ours.
const envPrefix = "SPD_"

// loader gathers what was set and where, before any of it is understood.
type loader struct {
	config   Config
	settings []setting         // the fields of config
	values   *koanf.Koanf      // key to text; known keys only
	where    map[string]string // key to the place that set it
	problems Problems
}

// Load reads the defaults, then the YAML file at path ("" for none), then the SPD_*
// variables in environ (as of os.Environ): the later wins. SPD_FTP_IDLE_TIMEOUT sets
// ftp.idle_timeout. The error is a Problems that names everything wrong, Validate's
// findings included; the Config is then of no use.
func Load(path string, environ []string) (Config, error) {
	l := &loader{
		config: Default(),
		values: koanf.New("."),
		where:  make(map[string]string),
	}
	l.settings = settings(&l.config)

	readable := l.file(path)
	l.environment(environ)
	l.apply()
	if readable { // without the file, what it may have set would be found missing
		l.validate()
	}
	return l.config, l.problems.err()
}

// environment adds the SPD_* variables.
func (l *loader) environment(environ []string) {
	l.add("environment", env.Provider(".", env.Opt{
		Prefix:      envPrefix,
		EnvironFunc: func() []string { return environ },
		TransformFunc: func(name, text string) (string, any) {
			key := keyOf(name)
			if foreign(name) || !l.known(key, name) {
				return "", nil
			}
			return key, text
		},
	}))
}

// keyOf returns the key that a variable sets: the first word is the section.
func keyOf(variable string) string {
	name := strings.ToLower(strings.TrimPrefix(variable, envPrefix))
	return strings.Replace(name, "_", ".", 1)
}

// foreign tells whether a variable is not a setting though it begins like one: SPD_CONFIG
// stands for --config, and Kubernetes sets the others for a service called "spd".
func foreign(name string) bool {
	return name == "SPD_CONFIG" || name == "SPD_PORT" ||
		strings.HasPrefix(name, "SPD_PORT_") || strings.HasPrefix(name, "SPD_SERVICE_")
}

// known tells whether key exists, and remembers where it was set; if it does not, that
// is a problem.
func (l *loader) known(key, where string) bool {
	for _, s := range l.settings {
		if s.key == key {
			l.where[key] = where
			return true
		}
	}
	l.problems = append(l.problems, Problem{Key: key, Where: where, Text: unknown(key, l.settings)})
	return false
}

// set takes over what a file said, by key.
func (l *loader) set(texts map[string]any) { l.add("file", confmap.Provider(texts, ".")) }

// add puts the settings of source over those that are there.
func (l *loader) add(where string, source koanf.Provider) {
	if err := l.values.Load(source, nil); err != nil {
		l.problems = append(l.problems, Problem{Where: where, Text: err.Error()})
	}
}

// apply sets the fields.
func (l *loader) apply() {
	for _, s := range l.settings {
		if !l.values.Exists(s.key) {
			continue
		}
		err := s.set(l.values.String(s.key))
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			for _, err := range many.Unwrap() {
				l.report(s.key, err.Error())
			}
		} else if err != nil {
			l.report(s.key, err.Error())
		}
	}
}

// validate adds what the checks find, but for keys that have a problem already: those
// still hold their default, about which there is nothing to say.
func (l *loader) validate() {
	for _, p := range l.config.check() {
		if !l.problems.names(p.Key) {
			l.report(p.Key, p.Text)
		}
	}
}

func (l *loader) report(key, text string) {
	l.problems = append(l.problems, Problem{Key: key, Where: l.where[key], Text: text})
}
