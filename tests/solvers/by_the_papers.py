"""The papers' formulas with loops: one candidate, one coordinate, one number after another."""

import math


def ranks_of(fitness):
    """From -0.5 to 0.5; equals share the mean of their ranks."""
    ranks = []
    for value in fitness:
        below = sum(other < value for other in fitness)
        equal = sum(other == value for other in fitness)
        ranks.append((below + (equal - 1) / 2) / (len(fitness) - 1) - 0.5)
    return ranks


class ClipUp:
    """Toklu, Liskowski & Srivastava 2020, algorithm 1."""

    def __init__(self, dimension, alpha, m, v_max):
        self.velocity, self.alpha, self.m, self.v_max = [0.0] * dimension, alpha, m, v_max

    def step(self, gradient):
        length = math.sqrt(sum(g * g for g in gradient))
        velocity = [
            self.m * v + self.alpha * (g / length if length else 0.0)
            for v, g in zip(self.velocity, gradient, strict=True)
        ]
        speed = math.sqrt(sum(v * v for v in velocity))
        if speed > self.v_max:
            velocity = [self.v_max * v / speed for v in velocity]
        self.velocity = velocity
        return velocity


class Adam:
    """Kingma & Ba 2015, algorithm 1, with a plus at the end."""

    def __init__(self, dimension, alpha, beta1=0.9, beta2=0.999, epsilon=1e-8):
        self.alpha, self.beta1, self.beta2, self.epsilon, self.t = alpha, beta1, beta2, epsilon, 0
        self.m, self.v = [0.0] * dimension, [0.0] * dimension

    def step(self, gradient):
        self.t += 1
        steps = []
        for i, g in enumerate(gradient):
            self.m[i] = self.beta1 * self.m[i] + (1 - self.beta1) * g
            self.v[i] = self.beta2 * self.v[i] + (1 - self.beta2) * g * g
            m_hat = self.m[i] / (1 - self.beta1**self.t)
            v_hat = self.v[i] / (1 - self.beta2**self.t)
            steps.append(self.alpha * m_hat / (math.sqrt(v_hat) + self.epsilon))
        return steps


class PGPE:
    """Sehnke et al. 2010, symmetric sampling; the baseline is the mean of all ranks."""

    def __init__(self, dimension, sigma, sigma_lr, sigma_change, rule):
        self.mu, self.sigma = [0.0] * dimension, [sigma] * dimension
        self.sigma_lr, self.sigma_change, self.rule = sigma_lr, sigma_change, rule

    def tell(self, population, fitness):
        ranks = ranks_of(fitness)
        b = sum(ranks) / len(ranks)
        pairs = [(population[i] - self.mu, ranks[i], ranks[i + 1]) for i in range(0, len(population), 2)]
        of_mu, of_sigma = [0.0] * len(self.mu), [0.0] * len(self.mu)
        for epsilon, plus, minus in pairs:
            for i, (e, s) in enumerate(zip(epsilon, self.sigma, strict=True)):
                of_mu[i] += e * (plus - minus) / 2 / len(pairs)
                of_sigma[i] += ((plus + minus) / 2 - b) * (e * e - s * s) / s / len(pairs)
        self.mu = [mu + step for mu, step in zip(self.mu, self.rule.step(of_mu), strict=True)]
        for i, s in enumerate(self.sigma):
            wanted = s + self.sigma_lr * of_sigma[i]
            self.sigma[i] = min(max(wanted, (1 - self.sigma_change) * s), (1 + self.sigma_change) * s)


class OpenAIES:
    """Salimans et al. 2017, algorithm 1, over candidates in antithetic pairs."""

    def __init__(self, dimension, sigma, rule):
        self.theta, self.sigma, self.rule = [0.0] * dimension, sigma, rule

    def tell(self, population, fitness):
        gradient = [0.0] * len(self.theta)
        for candidate, f in zip(population, ranks_of(fitness), strict=True):
            for i, x in enumerate(candidate):
                epsilon = (x - self.theta[i]) / self.sigma
                gradient[i] += f * epsilon / (len(population) * self.sigma)
        self.theta = [theta + step for theta, step in zip(self.theta, self.rule.step(gradient), strict=True)]
