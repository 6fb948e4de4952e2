"""AlexNet, built from minigrad: data, training, evaluation, the paper's experiments."""
