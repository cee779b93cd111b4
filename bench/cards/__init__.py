"""What is known of a model beside its answers: its card, its files, the model file, its family."""
