package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	serviceRange = "10.96.0.0/16"
	// It takes 4 s on an idle machine; tests start several while others compile.
	startLimit   = 3 * time.Minute
	startTries   = 3
	pollInterval = 50 * time.Millisecond
)

//go:embed audit-policy.yaml
var auditPolicy []byte

// idle are controllers that would only cost here: endpoints refuse the loopback
// addresses that pods have, again and again, and no node has anything to it but
// a name.
var idle = []string{
	"-endpoints-controller", "-endpointslice-controller", "-endpointslice-mirroring-controller",
	"-node-ipam-controller", "-node-lifecycle-controller", "-taint-eviction-controller", "-ttl-controller",
}

// apiTier is a control plane without a scheduler or nodes: what tests need that
// stand in for the pods themselves.
type apiTier struct {
	folder string
	// A file with CustomResourceDefinitions, or nothing.
	crds      string
	processes []*process
}

// description is the one line on stdout by which a test finds the cluster.
type description struct {
	Kubeconfig string `json:"kubeconfig"`
	AuditLog   string `json:"auditLog"`
	Dir        string `json:"dir"`
	Server     string `json:"server"`
	CA         string `json:"ca"`
}

// runAPITier serves until stdin ends or a signal comes, and leaves nothing behind.
func runAPITier() int {
	flags := flag.NewFlagSet("api", flag.ExitOnError)
	crds := flags.String("crds", "", "a `file` with CustomResourceDefinitions that are there from the start")
	_ = flags.Parse(os.Args[1:])

	runtime.LockOSThread()
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()

	err := serveAPITier(ctx, *crds)
	if err != nil && ctx.Err() == nil {
		return failed("api", err)
	}
	return 0
}

func serveAPITier(ctx context.Context, crds string) error {
	folder, err := newFolder("tokencache-api")
	if err != nil {
		return err
	}
	defer folder.remove()
	tier := &apiTier{folder: folder.path, crds: crds}
	defer tier.kill()

	started, err := tier.start(ctx)
	if err != nil {
		return err
	}
	line, err := json.Marshal(started)
	if err != nil {
		return err
	}
	if _, err := fmt.Println(string(line)); err != nil {
		return err
	}
	return tier.watch(ctx)
}

// start tries again where another process took a port between the moment it was
// found free and the moment it was used.
func (t *apiTier) start(ctx context.Context) (*description, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("not ready within %s", startLimit))
	defer cancel()
	for try := 1; ; try++ {
		started, err := t.startOnce(ctx)
		var death *deathError
		if err == nil || try == startTries || !errors.As(err, &death) || !death.portTaken() {
			return started, err
		}
		t.kill()
		if err := os.RemoveAll(filepath.Join(t.folder, "etcd")); err != nil {
			return nil, err
		}
	}
}

func (t *apiTier) startOnce(ctx context.Context) (*description, error) {
	etcdPort, serverPort, err := freePorts()
	if err != nil {
		return nil, err
	}
	etcd := "http://127.0.0.1:" + etcdPort
	started := &description{
		Kubeconfig: t.path("admin.kubeconfig"),
		AuditLog:   t.path("audit.log"),
		Dir:        t.folder,
		Server:     "https://127.0.0.1:" + serverPort,
		CA:         t.path("ca.crt"),
	}
	if err := writeCredentials(t.folder, started.Server, "127.0.0.1", "none"); err != nil {
		return nil, err
	}
	if err := os.WriteFile(t.path("audit-policy.yaml"), auditPolicy, 0o600); err != nil {
		return nil, err
	}
	if err := t.run("etcd", t.etcdArguments(etcd)...); err != nil {
		return nil, err
	}
	if err := t.run("kube-apiserver", t.serverArguments(etcd, serverPort, started.AuditLog)...); err != nil {
		return nil, err
	}
	config, err := clientcmd.BuildConfigFromFlags("", started.Kubeconfig)
	if err != nil {
		return nil, err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	if err := t.wait(ctx, func() error {
		return client.RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	}); err != nil {
		return nil, err
	}
	if err := t.define(ctx, started.Kubeconfig); err != nil {
		return nil, err
	}
	if err := t.run("kube-controller-manager", t.managerArguments()...); err != nil {
		return nil, err
	}
	// Made by the controller manager, and without it no pod can be created.
	return started, t.wait(ctx, func() error {
		_, err := client.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
		return err
	})
}

// define comes before the controller manager, whose garbage collector would
// otherwise notice the new kinds after half a minute, and by then be waiting
// ever longer with what it could not look up.
func (t *apiTier) define(ctx context.Context, kubeconfig string) error {
	if t.crds == "" {
		return nil
	}
	for _, arguments := range [][]string{
		{"apply", "--server-side"},
		{"wait", "--for=condition=Established", "--timeout=" + startLimit.String()},
	} {
		path, prefix, err := executable("kubectl")
		if err != nil {
			return err
		}
		arguments = append(append(prefix, arguments...), "--kubeconfig="+kubeconfig, "--filename="+t.crds)
		if output, err := exec.CommandContext(ctx, path, arguments...).CombinedOutput(); err != nil {
			return fmt.Errorf("kubectl %v: %w: %s", arguments, err, output)
		}
	}
	return nil
}

func (t *apiTier) etcdArguments(url string) []string {
	return []string{
		"--data-dir=" + t.path("etcd"),
		"--listen-client-urls=" + url,
		"--advertise-client-urls=" + url,
		"--listen-peer-urls=http://127.0.0.1:0",
		"--unsafe-no-fsync",
		"--log-level=warn",
	}
}

func (t *apiTier) serverArguments(etcd, port, auditLog string) []string {
	return []string{
		"--etcd-servers=" + etcd,
		"--bind-address=127.0.0.1",
		"--external-hostname=localhost",
		"--secure-port=" + port,
		"--tls-cert-file=" + t.path("apiserver.crt"),
		"--tls-private-key-file=" + t.path("apiserver.key"),
		"--client-ca-file=" + t.path("ca.crt"),
		"--token-auth-file=" + t.path("tokens.csv"),
		"--authorization-mode=Node,RBAC",
		// Still a beta in this release; tests show with it what policies of a cluster do to the operator's objects.
		"--feature-gates=MutatingAdmissionPolicy=true",
		"--runtime-config=admissionregistration.k8s.io/v1beta1=true",
		"--service-account-key-file=" + t.path("service-account.key"),
		"--service-account-signing-key-file=" + t.path("service-account.key"),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-cluster-ip-range=" + serviceRange,
		// Endpoints can't hold a loopback address; nobody here looks for the server there.
		"--endpoint-reconciler-type=none",
		"--audit-policy-file=" + t.path("audit-policy.yaml"),
		"--audit-log-path=" + auditLog,
		"--audit-log-mode=blocking",
		// In megabytes. A log that is rotated while it is counted could not be counted.
		"--audit-log-maxsize=10240",
	}
}

func (t *apiTier) managerArguments() []string {
	return []string{
		"--kubeconfig=" + t.path("kube-controller-manager.kubeconfig"),
		"--secure-port=0",
		"--leader-elect=false",
		"--use-service-account-credentials",
		"--root-ca-file=" + t.path("ca.crt"),
		"--service-account-private-key-file=" + t.path("service-account.key"),
		"--controllers=*," + strings.Join(idle, ","),
		// With the default of 20 it would be what tests with a thousand resources measure.
		"--kube-api-qps=500",
		"--kube-api-burst=1000",
	}
}

func (t *apiTier) run(name string, arguments ...string) error {
	child, err := startProcess(t.folder, name, arguments...)
	if err == nil {
		t.processes = append(t.processes, child)
	}
	return err
}

// wait asks until there is an answer, all children alive.
func (t *apiTier) wait(ctx context.Context, ask func() error) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		if err := t.death(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-ticker.C:
		}
	}
}

// watch returns when the work is done, or with what was said by a child that died.
func (t *apiTier) watch(ctx context.Context) error {
	deaths := make(chan struct{}, len(t.processes))
	for _, child := range t.processes {
		go func() {
			<-child.done
			deaths <- struct{}{}
		}()
	}
	select {
	case <-ctx.Done():
		return nil
	case <-deaths:
		return t.death()
	}
}

func (t *apiTier) death() error {
	for _, child := range t.processes {
		if child.ended() {
			return child.death()
		}
	}
	return nil
}

func (t *apiTier) kill() {
	for _, child := range t.processes {
		child.kill()
	}
	t.processes = nil
}

func (t *apiTier) path(name string) string { return filepath.Join(t.folder, name) }

// Both are held at once, so that they differ.
func freePorts() (first, second string, err error) {
	a, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", err
	}
	defer a.Close()
	b, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", err
	}
	defer b.Close()
	port := func(l net.Listener) string { return strconv.Itoa(l.Addr().(*net.TCPAddr).Port) }
	return port(a), port(b), nil
}
