package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// process is a component that runs as a child and dies with this process.
type process struct {
	name    string
	log     string
	command *exec.Cmd
	done    chan struct{}
}

// startProcess must be called on a goroutine that is locked to its thread and
// stays there: the kernel sends the death signal when that thread ends, not
// when the whole parent does.
func startProcess(folder, name string, arguments ...string) (*process, error) {
	path, prefix, err := executable(name)
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(folder, name+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	command := exec.Command(path, append(prefix, arguments...)...)
	command.Dir = folder
	// Two cores are all there is, and memory is not what tests lack: so collect garbage less often.
	command.Env = append(os.Environ(), "GOGC=400")
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{
		Pdeathsig: syscall.SIGKILL,
		// Ctrl-C is for the supervisor alone, which ends its children in order.
		Setpgid: true,
	}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	child := &process{name: name, log: log.Name(), command: command, done: make(chan struct{})}
	go func() {
		_ = command.Wait()
		close(child.done)
	}()
	return child, nil
}

// executable is this file, or for the two components that kubebuilder's
// packages hold, the one that the user asked for.
func executable(name string) (path string, prefix []string, err error) {
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets != "" && (name == "etcd" || name == "kube-apiserver") {
		path, err = exec.LookPath(filepath.Join(assets, name))
		if err != nil {
			return "", nil, fmt.Errorf("KUBEBUILDER_ASSETS: %w", err)
		}
		return path, nil, nil
	}
	path, err = os.Executable()
	return path, []string{name}, err
}

// kill is quick and without mercy: nothing of a test's cluster is kept.
func (p *process) kill() {
	_ = p.command.Process.Kill()
	<-p.done
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// death says how a process that has ended did, with what it said last.
func (p *process) death() error {
	return &deathError{p.name, p.command.ProcessState.String(), tail(p.log, 20)}
}

type deathError struct{ name, state, log string }

func (e *deathError) Error() string {
	return fmt.Sprintf("%s ended (%s); the end of its log:\n%s", e.name, e.state, e.log)
}

func (e *deathError) portTaken() bool {
	return strings.Contains(e.log, "address already in use")
}

func tail(path string, count int) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	return "  " + strings.Join(lines[max(0, len(lines)-count):], "\n  ")
}
