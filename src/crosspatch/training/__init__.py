"""crosspatch.training"""
