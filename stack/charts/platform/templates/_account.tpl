{{/* The component's service account, and its role in its own namespace where it speaks to the API server. */}}
{{- define "platform.serviceAccount" -}}
{{- $labels := include "platform.labels" (dict "root" .) }}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ .Values.component }}
  namespace: {{ .Release.Namespace }}
  labels: {{- $labels | nindent 4 }}
  {{- with .Values.serviceAccount.annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: {{ .Values.serviceAccount.automount }}
{{- with .Values.serviceAccount.rules }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ $.Values.component }}
  namespace: {{ $.Release.Namespace }}
  labels: {{- $labels | nindent 4 }}
rules: {{- toYaml . | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ $.Values.component }}
  namespace: {{ $.Release.Namespace }}
  labels: {{- $labels | nindent 4 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: {{ $.Values.component }}}
subjects:
  - {kind: ServiceAccount, name: {{ $.Values.component }}, namespace: {{ $.Release.Namespace }}}
{{- end }}
{{- end }}
