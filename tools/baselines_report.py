def report(plan, campaign, before, curves):
    raise NotImplementedError
