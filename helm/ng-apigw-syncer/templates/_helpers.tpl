{{/* SPDX-License-Identifier: MIT */}}

{{- define "syncer.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Name of all objects: the release's, with the chart's unless it is part of it. */}}
{{- define "syncer.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) }}
{{- default $full .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- end }}

{{/* What Service, PodDisruptionBudget and the rest find the pods by; the test's pod has another component. */}}
{{- define "syncer.selector" -}}
app.kubernetes.io/name: {{ include "syncer.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: syncer
{{- end }}

{{- define "syncer.commonLabels" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "syncer.labels" -}}
{{ include "syncer.selector" . }}
{{ include "syncer.commonLabels" . }}
{{- end }}

{{- define "syncer.testSelector" -}}
app.kubernetes.io/name: {{ include "syncer.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: test
{{- end }}

{{- define "syncer.serviceAccount" -}}
{{- default (ternary (include "syncer.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name }}
{{- end }}

{{- define "syncer.image" -}}
{{- with .Values.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ default $.Chart.AppVersion .tag }}{{ end }}
{{- end -}}
{{- end }}

{{/* Where pods come from, and in which namespace they are. */}}
{{- define "syncer.source" -}}
{{- $pods := default "auto" .Values.config.pods }}
{{- ternary "kubernetes" $pods (eq $pods "auto") }}
{{- end }}

{{- define "syncer.gatewayNamespace" -}}
{{- default .Release.Namespace .Values.config.namespace }}
{{- end }}

{{/* "yes" if syncer asks the API server with its ServiceAccount. */}}
{{- define "syncer.usesAccount" -}}
{{- if and (has (include "syncer.source" .) (list "kubernetes" "endpointslices")) (not .Values.config.kubeconfig) }}yes{{ end }}
{{- end }}

{{/* Milliseconds of a time as syncer reads it: 150, 150ms, 2s, 1m. */}}
{{- define "syncer.ms" -}}
{{- if kindIs "string" . -}}
{{- $unit := dict "s" 1000 "m" 60000 -}}
{{- mul (regexFind "^[0-9]+" . | int64) (get $unit (regexFind "[a-z]*$" .) | default 1) -}}
{{- else -}}
{{- int64 . -}}
{{- end -}}
{{- end }}

{{/* Seconds until the kubelet may kill: those that syncer takes to end, and 5. */}}
{{- define "syncer.terminationGrace" -}}
{{- $c := .Values.config -}}
{{- $drain := include "syncer.ms" (ternary $c.drain_delay 0 (hasKey $c "drain_delay")) -}}
{{- $grace := include "syncer.ms" (ternary $c.shutdown_grace 5000 (hasKey $c "shutdown_grace")) -}}
{{- add (div (add (int64 $drain) (int64 $grace) 999) 1000) 5 -}}
{{- end }}

{{/* Port of the first TCP address of a `listen`, which is one or a list; empty if there is none. */}}
{{- define "syncer.port" -}}
{{- $found := "" -}}
{{- range (ternary (list .) . (kindIs "string" .)) -}}
{{- if and (not $found) (not (hasPrefix "unix:" .)) -}}{{- $found = regexFind "[0-9]+$" . -}}{{- end -}}
{{- end -}}
{{- $found -}}
{{- end }}

{{- define "syncer.httpPort" -}}
{{- required "config.listen: a Service needs an ADDRESS:PORT" (include "syncer.port" (default "0.0.0.0:8080" .Values.config.listen)) -}}
{{- end }}

{{- define "syncer.adminPort" -}}
{{- with .Values.config.admin_listen }}{{ include "syncer.port" . }}{{ end -}}
{{- end }}

{{/* Name of the port that probes and Prometheus use. */}}
{{- define "syncer.watchedPort" -}}
{{- ternary "admin" "http" (ne (include "syncer.adminPort" .) "") -}}
{{- end }}

{{- define "syncer.watchedScheme" -}}
{{- ternary "http" "https" (or (ne (include "syncer.adminPort" .) "") (not .Values.config.listen_tls_cert)) -}}
{{- end }}

{{/* The volume source with the gateways' CA, or nothing. A key that is named makes the pod wait until it is there. */}}
{{- define "syncer.caVolume" -}}
{{- $ca := .Values.gatewayCA -}}
{{- if $ca.configMap -}}
configMap: {name: {{ $ca.configMap }}, items: [{key: {{ $ca.key }}, path: ca.crt}]}
{{- else if $ca.secret -}}
secret: {secretName: {{ $ca.secret }}, items: [{key: {{ $ca.key }}, path: ca.crt}]}
{{- else if include "syncer.usesServiceCA" . -}}
configMap: {name: {{ include "syncer.fullname" . }}-service-ca, items: [{key: service-ca.crt, path: ca.crt}]}
{{- end -}}
{{- end }}

{{- define "syncer.usesServiceCA" -}}
{{- if and .Values.ocp4 (not (or .Values.gatewayCA.configMap .Values.gatewayCA.secret .Values.config.tls_ca)) }}yes{{ end }}
{{- end }}

{{/* syncer's config.yaml. */}}
{{- define "syncer.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- if and (include "syncer.caVolume" .) (not $config.tls_ca) -}}
{{- $_ := set $config "tls_ca" "/etc/syncer-ca/ca.crt" -}}
{{- end -}}
{{- toYaml $config -}}
{{- end }}

{{/* What the schema can't say: which keys must be there, and what must fit together. */}}
{{- define "syncer.check" -}}
{{- $c := .Values.config -}}
{{- $_ := required "config.host is required: the Host of the probes, and the name in the gateways' certificates" $c.host -}}
{{- $_ := required "config.path is required: the probe location on the gateways" $c.path -}}
{{- $source := include "syncer.source" . -}}
{{- if eq $source "kubernetes" -}}
{{- $_ := required "config.deployment is required: the name of the gateways' Deployment" $c.deployment -}}
{{- else if has $source (list "endpointslices" "dns") -}}
{{- $_ := required (printf "config.service is required with pods: %s: the gateways' Service" $source) $c.service -}}
{{- else -}}
{{- $_ := required "config.static is required with pods: static: a list of {name, address, port}" $c.static -}}
{{- end -}}
{{- if and $c.listen_tls_client_ca (not (include "syncer.adminPort" .)) -}}
{{- fail "config.admin_listen is required beside listen_tls_client_ca: the kubelet's probes have no certificate" -}}
{{- end -}}
{{- if and $c.admin_listen (not (include "syncer.adminPort" .)) -}}
{{- fail "config.admin_listen: the kubelet's probes need an ADDRESS:PORT" -}}
{{- end -}}
{{- end }}

{{/* Pod Security "restricted", and OpenShift's restricted-v2, which chooses the UID. */}}
{{- define "syncer.podSecurity" -}}
runAsNonRoot: true
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "syncer.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}
