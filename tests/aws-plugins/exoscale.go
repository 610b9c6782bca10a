package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

// A stand-in for Exoscale's plugin, which needs Exoscale itself: the same paths and answers (version 0.4, IAM v3),
// with leases of its own, and no cloud behind them. Its secrets hold the tests' canary.
func exoscale(ctx context.Context, config *logical.BackendConfig) (logical.Backend, error) {
	key := &framework.Secret{
		Type:  "apikey",
		Renew: framework.LeaseExtend(0, 0, nil),
		Revoke: func(context.Context, *logical.Request, *framework.FieldData) (*logical.Response, error) {
			return nil, nil
		},
	}
	text := &framework.FieldSchema{Type: framework.TypeString}
	seconds := &framework.FieldSchema{Type: framework.TypeDurationSecond}
	name := framework.GenericNameRegex("name")
	backend := &framework.Backend{
		BackendType: logical.TypeLogical,
		Secrets:     []*framework.Secret{key},
		Paths: []*framework.Path{
			{
				Pattern:    "config/root",
				Fields:     map[string]*framework.FieldSchema{"root_api_key": text, "root_api_secret": text, "zone": text},
				Operations: on(logical.UpdateOperation, keep("config", "root_api_key", "root_api_secret", "zone")),
			},
			{
				Pattern: "role/" + name,
				Fields: map[string]*framework.FieldSchema{
					"name": text, "iam-role": text, "ttl": seconds, "max_ttl": seconds,
					"renewable": {Type: framework.TypeBool, Default: true},
				},
				Operations: on(logical.UpdateOperation, keep("role", "name", "iam-role")),
			},
			{
				Pattern:    "apikey/" + name,
				Fields:     map[string]*framework.FieldSchema{"name": text},
				Operations: on(logical.ReadOperation, issue(key)),
			},
		},
	}
	return backend, backend.Setup(ctx, config)
}

func on(operation logical.Operation, does framework.OperationFunc) map[logical.Operation]framework.OperationHandler {
	return map[logical.Operation]framework.OperationHandler{operation: &framework.PathOperation{Callback: does}}
}

// Stores what was written, under the kind and the name, if it has one. All the fields that are named must be there.
func keep(kind string, needs ...string) framework.OperationFunc {
	return func(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
		for _, field := range needs {
			if data.Get(field) == "" {
				return logical.ErrorResponse("%s is missing", field), nil
			}
		}
		name, _ := data.Raw["name"].(string)
		entry, err := logical.StorageEntryJSON(kind+"/"+name, map[string]int{
			"ttl": seconds(data, "ttl"), "max_ttl": seconds(data, "max_ttl"),
		})
		if err != nil {
			return nil, err
		}
		return nil, req.Storage.Put(ctx, entry)
	}
}

func seconds(data *framework.FieldData, field string) int {
	value, _ := data.GetOk(field)
	number, _ := value.(int)
	return number
}

func issue(key *framework.Secret) framework.OperationFunc {
	return func(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
		name := data.Get("name").(string)
		if config, err := req.Storage.Get(ctx, "config/"); err != nil || config == nil {
			return nil, fmt.Errorf("Exoscale secret engine not configured: %v", err)
		}
		entry, err := req.Storage.Get(ctx, "role/"+name)
		if err != nil || entry == nil {
			return logical.ErrorResponse("role %q not found", name), err
		}
		var life map[string]int
		if err := entry.DecodeJSON(&life); err != nil {
			return nil, err
		}
		random := make([]byte, 24)
		if _, err := rand.Read(random); err != nil {
			return nil, err
		}
		answer := key.Response(map[string]interface{}{
			"api_key":    "EXO" + hex.EncodeToString(random[:12]),
			"api_secret": "cAnArY5ecReT_-/" + hex.EncodeToString(random[12:]),
			"name":       fmt.Sprintf("vault-%s-%s-%d", name, req.DisplayName, time.Now().UnixNano()),
		}, nil)
		answer.Secret.TTL = time.Duration(life["ttl"]) * time.Second
		answer.Secret.MaxTTL = time.Duration(life["max_ttl"]) * time.Second
		answer.Secret.Renewable = true
		return answer, nil
	}
}
