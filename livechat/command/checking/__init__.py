"""What `livechat check` looks at: a module for each kind of thing."""
