"""Extensions of livechat, to start from; docs/extending.md explains them."""
