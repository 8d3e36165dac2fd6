POSTERIORS: list = []
