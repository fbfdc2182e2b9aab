{{/* The component's service account, and those of single processes or pods (`accounts`); each with a role in the
     component's own namespace where it speaks to the API server. */}}
{{- define "platform.serviceAccount" -}}
{{- $own := .Values.serviceAccount }}
{{- include "platform.account" (dict "root" . "name" .Values.component "automount" $own.automount "annotations" $own.annotations "rules" $own.rules) }}
{{- range $name, $account := .Values.accounts }}
{{- include "platform.account" (dict "root" $ "name" (include "platform.fullname" (dict "root" $ "process" $name)) "automount" false "rules" $account.rules) }}
{{- end }}
{{- end }}

{{/* One account with its role. Takes (dict "root" $ "name" NAME "automount" BOOL "annotations" MAP "rules" LIST). */}}
{{- define "platform.account" -}}
{{- $labels := include "platform.labels" (dict "root" .root) }}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- $labels | nindent 4 }}
  {{- with .annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: {{ .automount }}
{{- with .rules }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ $.name }}
  namespace: {{ $.root.Release.Namespace }}
  labels: {{- $labels | nindent 4 }}
rules: {{- toYaml . | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ $.name }}
  namespace: {{ $.root.Release.Namespace }}
  labels: {{- $labels | nindent 4 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: {{ $.name }}}
subjects:
  - {kind: ServiceAccount, name: {{ $.name }}, namespace: {{ $.root.Release.Namespace }}}
{{- end }}
{{- end }}
