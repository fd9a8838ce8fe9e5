package main

import "runtime/debug"

// release is the version that the build was told: -ldflags "-X main.release=v1.0.0".
var release string //nolint:gochecknoglobals // the linker sets it

// version is what the build was made from.
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "unknown"
	}
	return info.Main.Version
}
