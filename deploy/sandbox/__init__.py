"""deploy/sandbox"""
