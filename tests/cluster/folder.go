package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// folder is a temporary folder that is locked while its owner lives, so that
// what a killed run left is told from what another run is using.
type folder struct {
	path string
	lock *os.File
}

// newFolder makes one and removes those that nobody holds any more.
func newFolder(name string) (*folder, error) {
	parent := filepath.Join(os.TempDir(), fmt.Sprintf("%s-%d", name, os.Getuid()))
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return nil, err
	}
	if err := checkPrivate(parent); err != nil {
		return nil, err
	}
	// Held until the new folder has its own lock: nobody sees it without one.
	guard, err := lock(parent, syscall.LOCK_EX)
	if err != nil {
		return nil, err
	}
	defer guard.Close()
	removeStale(parent)
	path, err := os.MkdirTemp(parent, "")
	if err != nil {
		return nil, err
	}
	held, err := lock(path, syscall.LOCK_EX)
	if err != nil {
		return nil, err
	}
	return &folder{path, held}, nil
}

// The system's folder for temporary files is open to all: another user may
// have made a folder of our name first.
func checkPrivate(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	owner := info.Sys().(*syscall.Stat_t).Uid
	if !info.IsDir() || int(owner) != os.Getuid() || info.Mode().Perm() != 0o700 {
		return fmt.Errorf("%s is not a folder of this user with mode 0700: remove it or set TMPDIR", path)
	}
	return nil
}

func removeStale(parent string) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, entry := range entries {
		path := filepath.Join(parent, entry.Name())
		held, err := lock(path, syscall.LOCK_EX|syscall.LOCK_NB)
		if err != nil {
			continue
		}
		// What can't be removed now is tried again by the next run.
		_ = os.RemoveAll(path)
		_ = held.Close()
	}
}

func lock(path string, how int) (*os.File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), how); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return file, nil
}

func (f *folder) remove() {
	_ = os.RemoveAll(f.path)
	_ = f.lock.Close()
}
