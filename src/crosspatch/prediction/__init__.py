"""crosspatch.prediction"""
