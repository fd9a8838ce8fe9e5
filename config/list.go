package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// parseList reads what parse reads, parted by commas. The error holds one for each entry
// that is wrong, or there twice.
func parseList[T comparable](s string, parse func(entry string) (T, error)) ([]T, error) {
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	var list []T
	var problems []error
	for entry := range strings.SplitSeq(s, ",") {
		entry = strings.TrimSpace(entry)
		item, err := parse(entry)
		if err == nil && slices.Contains(list, item) {
			err = fmt.Errorf("%q is there twice: keep one", entry)
		}
		if err != nil {
			problems = append(problems, err)
			continue
		}
		list = append(list, item)
	}
	return list, errors.Join(problems...)
}
