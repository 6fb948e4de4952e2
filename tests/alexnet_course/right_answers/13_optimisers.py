"""Notebook 13: right answers that are written in another way than the solution."""

RIGHT = {
    "sgd_step": [
        """if rule == "paper":
    v = momentum * v - weight_decay * lr * w - lr * grad
    return w + v, v
v = momentum * v + grad + weight_decay * w
return w - lr * v, v""",
        """inside = lr if rule == "paper" else 1
step = momentum * v * (1 if rule == "torch" else -1) + inside * (grad + weight_decay * w)
return (w - step, -step) if rule == "paper" else [w - lr * step, step]""",
        """new_w, new_v = w.copy(), v.copy()
for i in range(len(w)):
    pull = grad[i] + weight_decay * w[i]
    new_v[i] = momentum * v[i] + (pull if rule == "torch" else -lr * pull)
    new_w[i] += -lr * new_v[i] if rule == "torch" else new_v[i]
return new_w, new_v""",
        """w, v = np.array(w), np.array(v)
v *= momentum
v += (-lr if rule == "paper" else 1) * (grad + weight_decay * w)
w += v * (1 if rule == "paper" else -lr)
return w, v""",
        """u = v / -lr if rule == "paper" else v
u = momentum * u + grad + weight_decay * w
return w - lr * u, (-lr * u if rule == "paper" else u)""",
    ],
    "plateau_rates": [
        """lowest, waited, drops, rates = 1, 0, 0, []
for i in range(len(errors)):
    rates += [lr / 10 ** drops]
    if errors[i] < lowest:
        lowest = errors[i]
        waited = 0
    elif at_chance[i]:
        pass
    else:
        waited += 1
    if waited > patience:
        if drops < most_drops:
            drops += 1
            waited = 0
return np.array(rates)""",
        """rates, rate, drops, waited = [], lr, 0, 0
for i, error in enumerate(errors):
    rates.append(rate)
    waited = 0 if error < min([1.0, *errors[:i]]) else waited + (not at_chance[i])
    if waited == patience + 1 and drops < most_drops:
        rate, drops, waited = rate / 10, drops + 1, 0
return rates""",
        """def rates():
    lowest, waited, drops = float("inf"), 0, 0
    for error, chance in zip(errors, at_chance):
        yield lr * 0.1 ** drops
        if error < min(lowest, 1):
            lowest, waited = error, 0
            continue
        waited += 0 if chance else 1
        if waited > patience and drops < most_drops:
            drops, waited = drops + 1, 0
return tuple(rates())""",
        """lowest, waited, left, rates = 1.0, 0, most_drops, [lr]
for error, chance in zip(errors[:-1], at_chance[:-1]):
    better = error < lowest
    lowest = min(lowest, error)
    waited = 0 if better else waited + 1 - chance
    fall = left > 0 and waited > patience
    left -= fall
    waited *= not fall
    rates.append(rates[-1] * (0.1 if fall else 1))
return rates""",
    ],
}
