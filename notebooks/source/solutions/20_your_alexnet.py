# %% [markdown]
# # Solutions to notebook 20, your AlexNet
#
# [The notebook](../20_your_alexnet.ipynb)

# %%
from alexnet_course import n20_your_alexnet as check

# %% [markdown]
# ## The prediction
#
# fc6 reads 32 numbers here: one pixel of 32 maps.

# %% tags=["solution"]
fc_share = 20

# %%
check.fc_share(fc_share)

# %% [markdown]
# ## Exercise 1: put it together


# %% tags=["solution"]
def alexnet(ops, weights, x, keys):
    x = ops.relu(ops.conv2d(x, *weights["conv1"], 4, 0, 1))
    x = ops.max_pool2d(ops.lrn(x, 5, 2.0, 1e-4, 0.75, 2), 3, 2)
    x = ops.relu(ops.conv2d(x, *weights["conv2"], 1, 2, 2))
    x = ops.max_pool2d(ops.lrn(x, 5, 2.0, 1e-4, 0.75, 2), 3, 2)
    x = ops.relu(ops.conv2d(x, *weights["conv3"], 1, 1, 1))
    x = ops.relu(ops.conv2d(x, *weights["conv4"], 1, 1, 2))
    x = ops.relu(ops.conv2d(x, *weights["conv5"], 1, 1, 2))
    x = ops.max_pool2d(x, 3, 2).flatten(1)
    x = ops.relu(ops.linear(x, *weights["fc6"]))
    if keys is not None:
        x = ops.dropout(x, 0.2, keys[0])
    x = ops.relu(ops.linear(x, *weights["fc7"]))
    if keys is not None:
        x = ops.dropout(x, 0.2, keys[1])
    return ops.linear(x, *weights["fc8"])


# %%
check.alexnet(alexnet)

# %% [markdown]
# ## Exercise 2: the loop


# %% tags=["solution"]
def train_epoch(net, batches, lr):
    losses = []
    for x, labels in batches:
        for weight in net.weights:
            weight.grad = None
        loss = net.loss(x, labels)
        net.backward(loss)
        for i, weight in enumerate(net.weights):
            grad, v = weight.grad.data, net.velocities[i]
            weight.data, net.velocities[i] = net.step(weight.data, v, grad, lr)
        losses.append(loss.item())
    return sum(losses) / len(losses)


# %%
check.train_epoch(train_epoch)

# %% [markdown]
# ## Exercise 3: the test
#
# A slice that reaches over the end is cut: the last batch needs no case of its own.


# %% tags=["solution"]
def accuracy(net, images, labels, batch):
    right = 0
    for start in range(0, len(images), batch):
        logits = net.logits(images[start : start + batch])
        right += (logits.argmax(axis=1) == labels[start : start + batch]).sum()
    return right / len(images)


# %%
check.accuracy(accuracy)

# %% [markdown]
# ## The run
#
# As in the notebook, in one call: every function is that of a solution, out of the notebooks in this folder.

# %%
check.whole_run(alexnet, train_epoch, accuracy)

# %% [markdown]
# ## The question

# %% tags=["solution"]
why_apart = "b"

# %%
check.why_apart(why_apart)
