"""Loading: what keeps a template from being read or compiled."""
