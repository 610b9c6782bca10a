// A provider that has the published schema of hashicorp/vault, and no resource behind it: enough for `terraform validate`.
package main

import (
	"context"
	"encoding/json"
	"os"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// The types by their names in the file of the schema.
var types = map[string]tftypes.Type{
	"string":       tftypes.String,
	"bool":         tftypes.Bool,
	"number":       tftypes.Number,
	"list(string)": tftypes.List{ElementType: tftypes.String},
	"set(string)":  tftypes.Set{ElementType: tftypes.String},
	"map(string)":  tftypes.Map{ElementType: tftypes.String},
}

// The methods that validation does not call are those of nobody.
type provider struct {
	tfprotov6.ProviderServer
	resources map[string]*tfprotov6.Schema
}

func (p *provider) GetMetadata(context.Context, *tfprotov6.GetMetadataRequest) (*tfprotov6.GetMetadataResponse, error) {
	response := &tfprotov6.GetMetadataResponse{ServerCapabilities: &tfprotov6.ServerCapabilities{GetProviderSchemaOptional: false}}
	for name := range p.resources {
		response.Resources = append(response.Resources, tfprotov6.ResourceMetadata{TypeName: name})
	}
	return response, nil
}

func (p *provider) GetProviderSchema(context.Context, *tfprotov6.GetProviderSchemaRequest) (*tfprotov6.GetProviderSchemaResponse, error) {
	return &tfprotov6.GetProviderSchemaResponse{
		Provider:        &tfprotov6.Schema{Block: &tfprotov6.SchemaBlock{}},
		ResourceSchemas: p.resources,
	}, nil
}

func (p *provider) ValidateProviderConfig(_ context.Context, request *tfprotov6.ValidateProviderConfigRequest) (*tfprotov6.ValidateProviderConfigResponse, error) {
	return &tfprotov6.ValidateProviderConfigResponse{PreparedConfig: request.Config}, nil
}

func (p *provider) ValidateResourceConfig(context.Context, *tfprotov6.ValidateResourceConfigRequest) (*tfprotov6.ValidateResourceConfigResponse, error) {
	return &tfprotov6.ValidateResourceConfigResponse{}, nil
}

func (p *provider) StopProvider(context.Context, *tfprotov6.StopProviderRequest) (*tfprotov6.StopProviderResponse, error) {
	return &tfprotov6.StopProviderResponse{}, nil
}

func main() {
	text, err := os.ReadFile(os.Getenv("VAULT_SCHEMA"))
	if err != nil {
		panic(err)
	}
	var file struct{ Resources map[string]map[string]string }
	if err := json.Unmarshal(text, &file); err != nil {
		panic(err)
	}
	known := &provider{resources: map[string]*tfprotov6.Schema{}}
	for name, attributes := range file.Resources {
		block := &tfprotov6.SchemaBlock{Attributes: []*tfprotov6.SchemaAttribute{
			{Name: "id", Type: tftypes.String, Optional: true, Computed: true},
		}}
		for attribute, about := range attributes {
			kind, role, _ := strings.Cut(about, ", ")
			if known, ok := types[kind]; ok {
				block.Attributes = append(block.Attributes, &tfprotov6.SchemaAttribute{
					Name: attribute, Type: known, Required: role == "required", Optional: role == "", Computed: role != "required",
				})
			}
		}
		known.resources[name] = &tfprotov6.Schema{Block: block}
	}
	if err := tf6server.Serve("registry.terraform.io/hashicorp/vault", func() tfprotov6.ProviderServer { return known }); err != nil {
		panic(err)
	}
}
