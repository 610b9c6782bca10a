// The AWS plugins of Vault 1.14, the last release under the MPL, as external plugins for the tests' OpenBao, and a
// stand-in for Exoscale's. One program serves them all: the name it is called by says which.
package main

import (
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/vault/api"
	awsauth "github.com/hashicorp/vault/builtin/credential/aws"
	awsengine "github.com/hashicorp/vault/builtin/logical/aws"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/plugin"
)

var plugins = map[string]logical.Factory{
	"aws-auth":   awsauth.Factory,
	"aws-engine": awsengine.Factory,
	// Exoscale's own name, by which its users register it.
	"vault-plugin-secrets-exoscale": exoscale,
}

// A server that is killed can't stop its plugins.
func leaveWithParent() {
	for parent := os.Getppid(); os.Getppid() == parent; time.Sleep(time.Second) {
	}
	os.Exit(0)
}

func main() {
	go leaveWithParent()
	meta := &api.PluginAPIClientMeta{}
	if err := meta.FlagSet().Parse(os.Args[1:]); err != nil {
		log.Fatal(err)
	}
	factory, known := plugins[filepath.Base(os.Args[0])]
	if !known {
		log.Fatalf("no plugin is called %s", os.Args[0])
	}
	err := plugin.ServeMultiplex(&plugin.ServeOpts{
		BackendFactoryFunc: factory,
		TLSProviderFunc:    api.VaultPluginTLSProvider(meta.GetTLSConfig()),
	})
	if err != nil {
		log.Fatal(err)
	}
}
