"""The runs that benchmarks of samplers share."""

from numpyro.infer import MCMC


def sampler(kernel, options):
    """Chains of a kernel side by side, as long and as many as the command line says."""
    return MCMC(
        kernel,
        num_warmup=options.warmup,
        num_samples=options.samples,
        num_chains=options.chains,
        chain_method="vectorized",
        progress_bar=False,
    )
